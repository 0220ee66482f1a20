/**
 * From flags to what is to be hosted: the manifest, its name, the directory. Nothing is made or opened yet.
 *
 * A manifest is used only when it is named: a project must not configure an agent unasked.
 */
import { existsSync, statSync } from "node:fs"
import { readFile, stat } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Default from "../manifest/Default.ts"
import type { Manifest } from "../manifest/Manifest.ts"
import { type CliError, failed } from "./CliError.ts"
import { hostFailure } from "./Failures.ts"
import type { Invocation } from "./Invocation.ts"
import * as Values from "./Values.ts"

export interface Prepared {
  readonly invocation: Invocation
  readonly manifest: Manifest
  /** The file that the manifest was read from, as the user gave it. */
  readonly file: string | undefined
  /** What stands in that file. */
  readonly text: string | undefined
  readonly name: string
  /** Absolute. */
  readonly cwd: string
  readonly segmentId: string | undefined
  /** What a person should know about the choices made, for the greeting of the pod. */
  readonly notes: ReadonlyArray<string>
  /** Said when the project has a manifest that nobody named. */
  readonly unused: string | undefined
}

/** What errors about the manifest call it, and where they find its lines. */
export const origin = ({ file, text }: Prepared): { readonly subject: string; readonly source?: string } => ({
  subject: file ?? "default manifest",
  ...(text === undefined ? {} : { source: text })
})

const manifestLimit = 1024 * 1024

const directoryOf = Effect.fnUntraced(function* ({ cwd, flags }: Invocation): Effect.fn.Return<string, CliError> {
  const given = Values.text(flags, "cwd")
  if (given === undefined) return cwd
  const path = resolve(cwd, given)
  const info = statSync(path, { throwIfNoEntry: false })
  if (info?.isDirectory() === true) return path
  return yield* info === undefined
    ? failed(`--cwd ${path}: there is no such directory`, "make it first, or name another one")
    : failed(`--cwd ${path}: not a directory`, "name a directory")
})

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not read it",
  EISDIR: "it is a directory; expected a TOML file"
}

const readManifest = Effect.fnUntraced(function* (
  file: string,
  path: string
): Effect.fn.Return<{ readonly manifest: Manifest; readonly text: string }, CliError> {
  const text = yield* Effect.tryPromise({
    try: async () => {
      const info = await stat(path)
      if (info.isDirectory()) throw Object.assign(new Error("directory"), { code: "EISDIR" })
      if (!info.isFile()) throw new Error("not a regular file")
      if (info.size > manifestLimit) throw new Error(`longer than ${manifestLimit} bytes`)
      return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path))
    },
    catch: (cause) => {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
      const reason = code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "not UTF-8 text" : reasons[code]
      return failed(
        `manifest ${file}: ${reason ?? (cause instanceof Error ? cause.message : "it cannot be read")}`,
        code === "ENOENT" ? `looked for at ${path}; a relative path begins where the command is called` : undefined
      )
    }
  })
  // The TOML parser is only needed for those who have a file.
  const { parseToml } = yield* Effect.promise(() => import("../manifest/ManifestToml.ts"))
  const manifest = yield* Effect.mapError(parseToml(text, { file, baseDir: dirname(path) }), hostFailure)
  return { manifest, text }
})

export const prepare = Effect.fn("Prepare.prepare")(function* (
  invocation: Invocation
): Effect.fn.Return<Prepared, CliError> {
  const { env, flags } = invocation
  const cwd = yield* directoryOf(invocation)
  const segmentId = yield* Values.segmentId(flags)
  const podFlag = Values.text(flags, "pod")
  const named = podFlag === undefined ? undefined : yield* Values.podName(podFlag)
  const file = Values.text(flags, "manifest")
  const notes: Array<string> = []
  let manifest: Manifest
  let text: string | undefined
  if (file !== undefined) {
    ;({ manifest, text } = yield* readManifest(file, resolve(invocation.cwd, file)))
  } else {
    const found = yield* Effect.mapError(Default.defaultManifest({ cwd, env }), hostFailure)
    manifest = found.manifest
    notes.push(...found.notes)
  }
  const name = named ?? manifest.pod.name
  const projects = join(cwd, ".pod/manifest.toml")
  return {
    invocation,
    manifest: name === manifest.pod.name ? manifest : { ...manifest, pod: { ...manifest.pod, name } },
    file,
    text,
    name,
    cwd,
    segmentId,
    notes,
    unused:
      existsSync(projects) && (file === undefined || resolve(invocation.cwd, file) !== projects)
        ? "./.pod/manifest.toml is not used unless you name it: --manifest .pod/manifest.toml"
        : undefined
  }
})
