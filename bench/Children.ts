/**
 * The processes that a measurement has started. Whatever happens to it, none of them stays behind: they are ended by
 * their own ids, and by nothing broader.
 */
import type { ChildProcess } from "node:child_process"

const alive = new Set<ChildProcess>()

export const own = <Child extends ChildProcess>(child: Child): Child => {
  alive.add(child)
  child.once("exit", () => alive.delete(child))
  return child
}

export const endAll = (): void => {
  for (const child of alive) child.kill("SIGKILL")
}

/** Asks it to end, and waits; ends it when it does not. */
export const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000)
    child.once("exit", () => {
      clearTimeout(timer)
      resolve()
    })
    child.kill("SIGTERM")
  })
