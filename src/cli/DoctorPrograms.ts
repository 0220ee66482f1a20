/** Checks of `doctor` on the programs that a pod calls. */
import { constants } from "node:fs"
import { access } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { HookCommand } from "../manifest/tables/Hooks.ts"
import { fail, type Finding, ok, warn } from "./Finding.ts"

type Env = Readonly<Record<string, string | undefined>>

const executable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false
  )

const onPath = async (env: Env, program: string): Promise<string | undefined> => {
  for (const directory of (env["PATH"] ?? "").split(":")) {
    if (directory.startsWith("/") && (await executable(join(directory, program)))) return join(directory, program)
  }
  return undefined
}

/** Of the commands that the manifest asks. A hook that cannot be started stops every call that it is asked about. */
export const checkHooks = (env: Env, hooks: ReadonlyArray<HookCommand>): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.promise(() =>
    Promise.all(
      hooks.map(async ({ command: [program = ""], name, on }) => {
        const check = `hook ${name}`
        const found = program.startsWith("/") ? await executable(program) : (await onPath(env, program)) !== undefined
        if (found) return ok(check, `${program}, asked at ${on.join(", ")}`)
        const where = program.startsWith("/") ? "it is not there, or may not be executed" : "it is not on the PATH"
        return fail(check, `${program} cannot be started: ${where}`, "install it, or take it out of [hooks]")
      })
    )
  )

const checkRipgrep = async (): Promise<Finding> => {
  const hint = "npm install in the directory of effect-pod brings it; Glob and Grep do not work without"
  try {
    const { rgPath } = await import("@vscode/ripgrep")
    return (await executable(rgPath)) ? ok("ripgrep", rgPath) : fail("ripgrep", `${rgPath} cannot be run`, hint)
  } catch {
    return fail("ripgrep", "the package is not installed", hint)
  }
}

export const checkPrograms = (env: Env): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.promise(async () => {
    const [bash, flock, notify] = await Promise.all(
      ["bash", "flock", "systemd-notify"].map((name) => onPath(env, name))
    )
    const findings: Array<Finding> = [
      bash === undefined
        ? fail("bash", "not on the PATH: the Bash tool does not work", "install bash")
        : ok("bash", bash),
      await checkRipgrep(),
      flock === undefined
        ? warn("flock", "not on the PATH: sockets are used as locks instead", "install util-linux")
        : ok("flock", flock)
    ]
    if ((env["NOTIFY_SOCKET"] ?? "") !== "" && notify === undefined) {
      findings.push(
        warn("systemd-notify", "not on the PATH: systemd cannot be told that the pod is ready", "install systemd")
      )
    }
    return findings
  })
