/** What Glob and Grep share: the directory to search, the check of every hit, and the words for what was not searched. */
import * as Effect from "effect/Effect"
import * as Lexical from "../scope/Lexical.ts"
import { leftOut } from "../scope/Process.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import * as Text from "../scope/Text.ts"
import { fromScope } from "./Failure.ts"
import type { SearchEnd } from "./Search.ts"

export interface Base {
  /** As the model named it, or the working directory. */
  readonly shown: string
  readonly real: string
  /** Where a search is run: that very directory. */
  readonly here: string
  /** Arguments without which a search would look where it may not. They come behind the caller's own patterns. */
  readonly args: ReadonlyArray<string>
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

/** As JSON where it has line ends: one name must not look like two, or like a line that was found. */
const onOneLine = (path: string): string => (/[\n\r]/.test(path) ? JSON.stringify(path) : path)

/** One scope for the whole search: a walk does not change its mind half way. */
export const open = Effect.fnUntraced(function* (fs: ScopedFsShape, path: string | undefined) {
  const shown = path === undefined ? fs.cwd : path
  const { here, real, unaliased } = yield* Effect.mapError(fs.directory(shown), fromScope)
  const scope = yield* fs.snapshot
  const base = Lexical.normalize(shown)
  /** The last one that was looked at: hits come file by file. */
  let looked: { readonly name: string; readonly mayShow: boolean } | undefined
  return {
    shown,
    real,
    here,
    args: [
      "--no-ignore-global",
      ...(scope.access(Lexical.parent(real)) === "none" ? ["--no-ignore-parent"] : []),
      ...leftOut(real).map((pattern) => `--glob=!${pattern}`)
    ],
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
})

/** Sentences that a summary ends with when not everything was searched. */
export const caveats = (end: SearchEnd): ReadonlyArray<string> => [
  ...(end.stopped === "time" ? ["The search was stopped after 30 seconds: there may be more."] : []),
  ...(end.stopped === "bytes" ? ["The search was stopped because its output was too large: there may be more."] : []),
  ...(end.hasSkipped ? ["Some files or directories could not be read and were skipped."] : [])
]

/** A count that may be too low says so. */
export const counted = (count: number, noun: string, end: SearchEnd): string =>
  `${end.stopped === "end" ? "" : "at least "}${count} ${noun}${count === 1 ? "" : noun.endsWith("h") ? "es" : "s"}`
