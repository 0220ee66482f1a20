/**
 * How `Write` and `Edit` change a file: one change of a real path at a time, and only of what the model knows.
 *
 * That the file is still what the model knows is asked twice: before anything is written, and again with the new content
 * ready and only the rename left.
 */
import * as Effect from "effect/Effect"
import * as Lexical from "../scope/Lexical.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import { fromScope } from "./Failure.ts"
import type { KnownFiles } from "./KnownFiles.ts"
import { maxFileBytes } from "./Limits.ts"
import type { ToolError } from "./Tool.ts"
import type { Tracker } from "./Tracker.ts"

export interface FileChangeOptions {
  readonly fs: ScopedFsShape
  readonly tracker: Tracker
}

/** The paths that change, as the turn loop compares them. */
export const mutates = (args: { readonly file_path: string }): ReadonlyArray<string> =>
  Lexical.isAbsolute(args.file_path) ? [Lexical.normalize(args.file_path)] : []

/** A file that was written, by the name that the model gave it and the one that it really has. */
export const named = (path: string, { real }: { readonly real: string }): string =>
  real === Lexical.normalize(path) ? path : `${path} (that is ${real})`

/** What became of other names of a file that was replaced. */
export const otherNames = ({ links }: { readonly links: number }): string =>
  links <= 1
    ? ""
    : ` ${links === 2 ? "1 other name" : `${links - 1} other names`} of it (hard links) keep the old content.`

export const make = ({ fs, tracker }: FileChangeOptions) => ({
  /** While it runs, no other change of what `path` really names does. */
  alone: Effect.fnUntraced(function* <A>(path: string, change: Effect.Effect<A, ToolError>) {
    const target = yield* Effect.mapError(fs.resolveForWrite(path), fromScope)
    return yield* tracker.exclusively(target.real)(change)
  }),

  /** The content, if it is what the model saw last. */
  current: Effect.fnUntraced(function* (known: KnownFiles, path: string) {
    const { bytes, real } = yield* Effect.mapError(fs.readBytes(path, maxFileBytes), fromScope)
    yield* tracker.verify(known, path, real, bytes)
    return bytes
  }),

  /** `check` is the last chance to say no. */
  replace: Effect.fnUntraced(function* (
    known: KnownFiles,
    path: string,
    bytes: Uint8Array,
    check: Effect.Effect<unknown, ToolError>
  ) {
    const written = yield* fs
      .writeAtomic(path, bytes, () => Effect.asVoid(check))
      .pipe(Effect.catchTag("ScopeError", (error) => Effect.fail(fromScope(error))))
    return { ...written, seen: yield* tracker.record(known, written.real, bytes) }
  })
})
