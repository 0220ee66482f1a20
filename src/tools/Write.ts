/**
 * `Write`: a whole file, new or in place of an old one.
 *
 * An old file must have been seen as it is now. A new one must still be missing when its content is ready.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Text from "../scope/Text.ts"
import { unified } from "./Diff.ts"
import { failed, fromScope } from "./Failure.ts"
import * as FileChange from "./FileChange.ts"
import { lineEndsOf, withEnds } from "./LineEnds.ts"
import * as Tool from "./Tool.ts"

const Parameters = Schema.Struct({
  file_path: Schema.String.annotate({ description: "Absolute path of the file. Missing directories are made." }),
  content: Schema.String.annotate({ description: "The whole new content. May be empty." })
})

const description =
  "Creates a file or replaces the whole content of one. A file that exists must have been read with " +
  "Read before and must not have changed since. To change a part of a file, use Edit. Mode, owner and line ends of the " +
  "old file are kept; a link stays a link and its target is replaced. Returns what changed as a diff."

export const make = (options: FileChange.FileChangeOptions & { readonly contentBytes: number }): Tool.Tool => {
  const { contentBytes, fs } = options
  const { alone, current, replace } = FileChange.make(options)

  const stillMissing = Effect.fnUntraced(function* (path: string) {
    const now = yield* Effect.mapError(fs.resolveForWrite(path), fromScope)
    if (now.exists) return yield* failed(`${path} has appeared while it was being written: Read it, then decide.`)
  })

  return Tool.make({
    name: "Write",
    description,
    parameters: Parameters,
    idempotent: false,
    mutates: FileChange.mutates,
    run: Effect.fn("Tool.Write")(function* ({ content, file_path: path }, { known }) {
      const write = Effect.gen(function* () {
        const { exists } = yield* Effect.mapError(fs.resolveForWrite(path), fromScope)
        const before = exists ? Text.decodeStrict(yield* current(known, path)) : undefined
        const keepsCrlf = before !== undefined && lineEndsOf(before) === "crlf" && lineEndsOf(content) === "lf"
        const after = keepsCrlf ? withEnds(content, "crlf") : content
        const bytes = Text.encode(after)
        const check = exists ? current(known, path) : stillMissing(path)
        const written = yield* replace(known, path, bytes, check)
        const ends = keepsCrlf ? " Lines end with CRLF, as before." : ""
        const change = before === undefined ? "" : unified(before, after, contentBytes)
        return {
          summary:
            `${written.created ? "Created" : "Overwrote"} ${FileChange.named(path, written)}, ${bytes.length} bytes.` +
            ends +
            FileChange.otherNames(written),
          seen: written.seen,
          ...(change === "" ? {} : { content: change })
        }
      })
      return yield* alone(path, write)
    })
  })
}
