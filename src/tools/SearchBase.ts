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
  /** From ripgrep's name of a hit to the path for the model; nothing if the hit may not be read. */
  readonly permitted: (hit: Uint8Array) => string | undefined
}

/** One scope for the whole search: a walk does not change its mind half way. */
export const open = Effect.fnUntraced(function* (fs: ScopedFsShape, path: string | undefined) {
  const shown = path === undefined ? fs.cwd : path
  const { here, real } = yield* Effect.mapError(fs.directory(shown), fromScope)
  const scope = yield* fs.snapshot
  const base = Lexical.normalize(shown)
  return {
    shown,
    real,
    here,
    args: [
      "--no-ignore-global",
      ...(scope.access(Lexical.parent(real)) === "none" ? ["--no-ignore-parent"] : []),
      ...leftOut(real).map((pattern) => `--glob=!${pattern}`)
    ],
    permitted: (hit) => {
      const relative = Text.decodeLossy(hit).replace(/^\.\//, "")
      // ripgrep follows no link, so what lies below a real directory is real.
      return scope.access(Lexical.join(real, relative)) === "none" ? undefined : Lexical.join(base, relative)
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
