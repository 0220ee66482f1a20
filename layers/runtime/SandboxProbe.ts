/** Whether bubblewrap works here: the only way to know is to run it, in the way in which commands will be run. */
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as NFS from "node:fs"
import * as OS from "node:os"
import * as Path from "node:path"
import type { LaunchSpec, Opening } from "../../src/runtime/Launcher.ts"
import * as Strengths from "./SandboxStrengths.ts"

export type Probed =
  | {
      readonly usable: true
      readonly program: string
      readonly strengths: Strengths.Strengths
      /** What does not hold here, and would with another bubblewrap or kernel. */
      readonly weaker: ReadonlyArray<string>
    }
  | { readonly usable: false; readonly why: string; readonly hint: string }

const limitMillis = 10_000
const maxReason = 300

/** The program in an absolute directory of a search path. */
export const find = (name: string, searchPath: string): string | undefined =>
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

const spawned = ({ args, command, cwd, env }: LaunchSpec, opening: Opening): ChildProcess =>
  spawn(command, [...opening.args, ...args], {
    cwd,
    env: { ...env },
    stdio: ["ignore", "ignore", "pipe", "ignore", ...opening.descriptors],
    timeout: limitMillis,
    killSignal: "SIGKILL"
  })

/** Why it does not work. */
export const run = (spec: LaunchSpec): Effect.Effect<string | undefined> =>
  Effect.flatMap(spec.opening ?? Effect.succeed({ args: [], descriptors: [] }), (opening) =>
    Effect.callback<string | undefined>((resume) => {
      const child = spawned(spec, opening)
      let said = ""
      child.stderr?.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, maxReason)))
      child.once("error", (error) => resume(Effect.succeed(error.message)))
      child.once("close", (code, signal) => {
        if (code === 0) return resume(Effect.undefined)
        const ended = child.killed ? `it did not end within ${limitMillis / 1000} s` : `it ended with ${signal ?? code}`
        resume(Effect.succeed((!child.killed && said.trim().split("\n", 1)[0]) || ended))
      })
      return Effect.sync(() => void child.kill("SIGKILL"))
    })
  ).pipe(
    Effect.scoped,
    Effect.catch(({ message }) => Effect.succeed(message))
  )

/** First with all that is wanted; where that does not work, with nothing of it, and then with one thing more each time. */
const strongest = Effect.fnUntraced(function* (
  wanted: Strengths.Strengths,
  lacks: Strengths.Lacks,
  trial: (strengths: Strengths.Strengths) => Effect.Effect<string | undefined>
) {
  if ((yield* trial(wanted)) === undefined) return { strengths: wanted, lacks }
  const trouble = yield* trial(Strengths.none)
  if (trouble !== undefined) return trouble
  let strengths = Strengths.none
  const found = new Map(Object.entries(lacks))
  for (const name of ["filter", "users", "places"] as const) {
    const more = { ...strengths, [name]: wanted[name] }
    const why = yield* trial(more)
    if (why === undefined) strengths = more
    else found.set(name, why)
  }
  return { strengths, lacks: Object.fromEntries(found) }
})

/** `wrapped` is a small command in the fence of the program that it is given, as strong as is said. */
export const probe = (
  searchPath: string,
  wanted: { readonly filter: number | undefined; readonly lacks: Strengths.Lacks },
  wrapped: (program: string, strengths: Strengths.Strengths) => LaunchSpec
): Effect.Effect<Probed> =>
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
    const all = { filter: wanted.filter, users: true, places: true }
    return Effect.map(
      strongest(all, wanted.lacks, (strengths) => run(wrapped(program, strengths))),
      (found): Probed =>
        typeof found === "string"
          ? {
              usable: false,
              why: `${program} does not work here: ${found}`,
              hint: "it needs user namespaces: see kernel.unprivileged_userns_clone, AppArmor, or the container's settings"
            }
          : {
              usable: true,
              program,
              strengths: found.strengths,
              weaker: Strengths.weaker(found.strengths, found.lacks)
            }
    )
  })
