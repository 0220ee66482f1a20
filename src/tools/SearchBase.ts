/** What Glob and Grep share: the directory to search, the check of every hit, and the words for what was not searched. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Lexical from "../scope/Lexical.ts"
import { leftOut } from "../scope/Process.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import * as Text from "../scope/Text.ts"
import { fromScope } from "./Failure.ts"
import * as IgnoreFiles from "./IgnoreFiles.ts"
import type { Place, SearchEnd } from "./Search.ts"

export interface Base {
  /** As the model named it, or the working directory. */
  readonly shown: string
  readonly place: Place
  /** Arguments without which a search would look where it may not. They come behind the caller's own patterns. */
  readonly args: ReadonlyArray<string>
  readonly ignoreFiles: IgnoreFiles.IgnoreFiles
  /**
   * To be done before `permitted` is asked of a hit whose name or content is to be shown, if there is anything to do:
   * finds out whether it is another name of something denied.
   */
  readonly look: (hit: Uint8Array, shown: "name" | "content") => Effect.Effect<void> | undefined
  /** From ripgrep's name of a hit to the path for the model; nothing if the hit may not be read. */
  readonly permitted: (hit: Uint8Array) => string | undefined
}

/** ripgrep's name of a hit, without what it puts in front. */
const relative = (hit: Uint8Array): string => Text.decodeLossy(hit).replace(/^\.\//, "")

// oxlint-disable-next-line no-control-regex
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** What JSON may leave as it is. */
// oxlint-disable-next-line no-control-regex
const leftByJson = /[\u007f-\u009f\u2028\u2029]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/**
 * As JSON where it has line ends or controls: one name must not look like two, or like a line that was found, and must
 * tell no terminal what to do.
 */
const onOneLine = (path: string): string =>
  unprintable.test(path) ? JSON.stringify(path).replace(leftByJson, escaped) : path

/** One scope for the whole search: a walk does not change its mind half way. */
export const open = Effect.fnUntraced(function* (
  fs: ScopedFsShape,
  files: FileSystem.FileSystem,
  path: string | undefined
) {
  const shown = path === undefined ? fs.cwd : path
  const { here, real, unaliased } = yield* fs.directory(shown)
  const scope = yield* fs.snapshot
  const base = Lexical.normalize(shown)
  /** The last one that was looked at: hits come file by file. */
  let looked: { readonly name: string; readonly mayShow: boolean } | undefined
  return {
    shown,
    place: { real, here, rules: scope.rules },
    args: leftOut(real).map((pattern) => `--glob=!${pattern}`),
    ignoreFiles: IgnoreFiles.make({ fs: files, real, here, isReadable: (at) => scope.access(at) !== "none" }),
    look: (hit, what) => {
      const name = relative(hit)
      if (unaliased === undefined || looked?.name === name) return undefined
      return Effect.map(unaliased[what](Lexical.join(real, name)), (mayShow) => {
        looked = { name, mayShow }
      })
    },
    permitted: (hit) => {
      const name = relative(hit)
      if (unaliased !== undefined && !(looked?.name === name && looked.mayShow)) return undefined
      // ripgrep follows no link, so what lies below a real directory is real.
      return scope.access(Lexical.join(real, name)) === "none" ? undefined : onOneLine(Lexical.join(base, name))
    }
  } satisfies Base
}, Effect.mapError(fromScope))

/** A search that follows these ignore files; if one of them cannot be followed, it is run again and follows none. */
export const following = <A extends { readonly end: SearchEnd }, E, R>(
  ignoreFiles: IgnoreFiles.IgnoreFiles | undefined,
  run: (ignoreFiles: IgnoreFiles.IgnoreFiles | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(run(ignoreFiles), (first) => {
    const { badIgnoreFile, stopped } = first.end
    if (stopped !== "ignore" || badIgnoreFile === undefined) return Effect.succeed(first)
    return Effect.map(run(undefined), (second) => ({ ...second, end: { ...second.end, badIgnoreFile } }))
  })

/** Of two searches that make one result. */
export const both = (first: SearchEnd, second: SearchEnd): SearchEnd => ({
  ...second,
  ...first,
  stopped: first.stopped === "end" ? second.stopped : first.stopped,
  hasSkipped: first.hasSkipped || second.hasSkipped
})

const maxUnseen = 3

/** Sentences that a summary ends with when not everything was searched, or too much. */
export const caveats = (end: SearchEnd): ReadonlyArray<string> => [
  ...(end.badIgnoreFile === undefined
    ? []
    : [
        `Ignored files were searched too: no ignore file was followed, because ${onOneLine(end.badIgnoreFile)} is no ` +
          "plain file of at most 4 MiB that may be read."
      ]),
  ...(end.unseen.length === 0
    ? []
    : [
        `Not searched, because a rule that is not recursive covers too many directories there: ` +
          `${end.unseen.slice(0, maxUnseen).map(onOneLine).join(", ")}${end.unseen.length > maxUnseen ? ", and more" : ""}.`
      ]),
  ...(end.stopped === "time" ? ["The search was stopped after 30 seconds: there may be more."] : []),
  ...(end.stopped === "bytes" ? ["The search was stopped because its output was too large: there may be more."] : []),
  ...(end.hasSkipped ? ["Some files or directories could not be read and were skipped."] : [])
]

/** A count that may be too low says so. */
export const counted = (count: number, noun: string, end: SearchEnd): string =>
  `${end.stopped === "end" ? "" : "at least "}${count} ${noun}${count === 1 ? "" : noun.endsWith("h") ? "es" : "s"}`
