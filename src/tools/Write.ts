/**
 * `Write`: a whole file, new or in place of an old one.
 *
 * An old file must have been seen as it is now. That is asked twice: before anything is written, and again with the new
 * content ready and only the rename left.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Lexical from "../scope/Lexical.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import * as Text from "../scope/Text.ts"
import { unified } from "./Diff.ts"
import { failed, fromScope } from "./Failure.ts"
import { maxFileBytes } from "./Limits.ts"
import { lineEndsOf, withEnds } from "./LineEnds.ts"
import * as Tool from "./Tool.ts"
import type { Tracker } from "./Tracker.ts"

const Parameters = Schema.Struct({
  file_path: Schema.String.annotate({ description: "Absolute path of the file. Missing directories are made." }),
  content: Schema.String.annotate({ description: "The whole new content. May be empty." })
})

const description =
  "Creates a file or replaces the whole content of one. A file that exists must have been read with " +
  "Read before and must not have changed since. To change a part of a file, use Edit. Mode, owner and line ends of the " +
  "old file are kept; a link stays a link and its target is replaced. Returns what changed as a diff."

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

export const make = (options: {
  readonly fs: ScopedFsShape
  readonly tracker: Tracker
  readonly contentBytes: number
}): Tool.Tool => {
  const { contentBytes, fs, tracker } = options

  const verify = Effect.fnUntraced(function* (path: string) {
    const { bytes, real } = yield* Effect.mapError(fs.readBytes(path, maxFileBytes), fromScope)
    yield* tracker.verify(path, real, bytes)
    return bytes
  })

  const stillMissing = Effect.fnUntraced(function* (path: string) {
    const now = yield* Effect.mapError(fs.resolveForWrite(path), fromScope)
    if (now.exists) return yield* failed(`${path} has appeared while it was being written: Read it, then decide.`)
  })

  return Tool.make({
    name: "Write",
    description,
    parameters: Parameters,
    idempotent: false,
    mutates,
    run: Effect.fn("Tool.Write")(function* ({ content, file_path: path }) {
      const target = yield* Effect.mapError(fs.resolveForWrite(path), fromScope)
      return yield* tracker.exclusively(target.real)(
        Effect.gen(function* () {
          const { exists } = yield* Effect.mapError(fs.resolveForWrite(path), fromScope)
          const before = exists ? Text.decodeStrict(yield* verify(path)) : undefined
          const keepsCrlf = before !== undefined && lineEndsOf(before) === "crlf" && lineEndsOf(content) === "lf"
          const after = keepsCrlf ? withEnds(content, "crlf") : content
          const bytes = Text.encode(after)
          const written = yield* fs
            .writeAtomic(path, bytes, () => (exists ? Effect.asVoid(verify(path)) : stillMissing(path)))
            .pipe(Effect.catchTag("ScopeError", (error) => Effect.fail(fromScope(error))))
          yield* tracker.record(written.real, bytes)
          const ends = keepsCrlf ? " Lines end with CRLF, as before." : ""
          const change = before === undefined ? "" : unified(before, after, contentBytes)
          return {
            summary:
              `${written.created ? "Created" : "Overwrote"} ${named(path, written)}, ${bytes.length} bytes.` +
              ends +
              otherNames(written),
            ...(change === "" ? {} : { content: change })
          }
        })
      )
    })
  })
}
