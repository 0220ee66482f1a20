/**
 * Tells systemd what the service is doing, if it asked (`NOTIFY_SOCKET`).
 *
 * The notification is a datagram on a Unix socket, which Node cannot send: the program `systemd-notify` does it. It
 * sends as a process of its own, so the unit needs `NotifyAccess=all`.
 */
import { spawn } from "node:child_process"
import * as Effect from "effect/Effect"

type Env = Readonly<Record<string, string | undefined>>

/** Never fails: a service manager that is not told goes on waiting, and says so itself. */
export const notify = (env: Env, ...states: ReadonlyArray<string>): Effect.Effect<void> => {
  const socket = env["NOTIFY_SOCKET"]
  if (socket === undefined || socket === "") return Effect.void
  return Effect.callback<string | undefined>((resume) => {
    const child = spawn("systemd-notify", states, { stdio: "ignore", env: { ...env } })
    child.once("error", (cause) => resume(Effect.succeed(cause.message)))
    child.once("exit", (code) => resume(Effect.succeed(code === 0 ? undefined : `exit code ${code}`)))
    return Effect.sync(() => {
      child.kill("SIGKILL")
    })
  }).pipe(
    Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.succeed("no end within 5 seconds") }),
    Effect.flatMap((problem) =>
      problem === undefined
        ? Effect.void
        : Effect.logWarning(`NOTIFY_SOCKET is set, but systemd-notify failed: ${problem}`)
    )
  )
}
