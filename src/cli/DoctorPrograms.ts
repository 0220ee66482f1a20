/** Checks of `doctor` on the programs that a pod calls. */
import { constants, statSync } from "node:fs"
import { access } from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import type { Manifest } from "../manifest/Manifest.ts"
import type { HookCommand } from "../manifest/tables/Hooks.ts"
import { canWrite } from "../scope/Scope.ts"
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
export const checkHooks = (
  env: Env,
  { hooks, scope }: Pick<Manifest, "hooks" | "scope">
): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.promise(async () => {
    const findings = await Promise.all((hooks?.command ?? []).map((hook) => checkHook(env, hook, scope)))
    return findings.flat()
  })

const checkHook = async (env: Env, hook: HookCommand, scope: Manifest["scope"]): Promise<ReadonlyArray<Finding>> => {
  const [program = "", ...args] = hook.command
  const check = `hook ${hook.name}`
  const path = program.startsWith("/") ? program : await onPath(env, program)
  if (path === undefined || !(await executable(path))) {
    const where = path === undefined ? "it is not on the PATH" : "it is not there, or may not be executed"
    return [fail(check, `${program} cannot be started: ${where}`, "install it, or take it out of [hooks]")]
  }
  const found = ok(check, `${program}, asked at ${hook.on.join(", ")}`)
  const cwd = scope.allow[0]?.target ?? "/"
  const written = [path, ...args.map((arg) => resolve(cwd, arg))].find(
    (file) => canWrite(scope, file) && statSync(file, { throwIfNoEntry: false })?.isFile() === true
  )
  if (written === undefined) return [found]
  const hint = "keep it outside of the scope, or deny its writing with [[scope.deny]]"
  return [found, warn(check, `the pod may write ${written}, which then runs outside of the sandbox`, hint)]
}

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
