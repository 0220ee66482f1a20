/** Whether bubblewrap works here: the only way to know is to run it, in the way in which commands will be run. */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as NFS from "node:fs"
import * as OS from "node:os"
import * as Path from "node:path"
import type { LaunchSpec } from "../../src/runtime/Launcher.ts"

export type Probed =
  | { readonly usable: true; readonly program: string }
  | { readonly usable: false; readonly why: string; readonly hint: string }

const limitMillis = 10_000
const maxReason = 300

/** The program in an absolute directory of a search path. */
const find = (name: string, searchPath: string): string | undefined =>
  searchPath
    .split(":")
    .filter((directory) => directory.startsWith("/"))
    .map((directory) => Path.join(directory, name))
    .find((path) => {
      try {
        NFS.accessSync(path, NFS.constants.X_OK)
        return NFS.statSync(path).isFile()
      } catch {
        return false
      }
    })

const run = ({ args, command, cwd, env }: LaunchSpec): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    const options = { cwd, env: { ...env }, timeout: limitMillis, killSignal: "SIGKILL" } as const
    const child = execFile(command, args, options, (error, _, stderr) => {
      if (error === null) return resume(Effect.undefined)
      const said = stderr.trim().split("\n", 1)[0] ?? ""
      const why = error.killed === true ? `it did not end within ${limitMillis / 1000} s` : said || error.message
      resume(Effect.succeed(why.slice(0, maxReason)))
    })
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** `wrapped` is a small command in the fence of the program that it is given. */
export const probe = (searchPath: string, wrapped: (program: string) => LaunchSpec): Effect.Effect<Probed> =>
  Effect.suspend(() => {
    if (OS.platform() !== "linux") {
      return Effect.succeed<Probed>({
        usable: false,
        why: "bubblewrap is for Linux",
        hint: "run pods as a user or in a container that may do no more than they should"
      })
    }
    const program = find("bwrap", searchPath)
    if (program === undefined) {
      return Effect.succeed<Probed>({
        usable: false,
        why: "bubblewrap (bwrap) is not installed",
        hint: "install the package bubblewrap"
      })
    }
    return Effect.map(
      run(wrapped(program)),
      (trouble): Probed =>
        trouble === undefined
          ? { usable: true, program }
          : {
              usable: false,
              why: `${program} does not work here: ${trouble}`,
              hint: "it needs user namespaces: see kernel.unprivileged_userns_clone, AppArmor, or the container's settings"
            }
    )
  })
