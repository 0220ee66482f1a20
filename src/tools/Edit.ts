/**
 * `Edit`: replaces exact text in a file that the model has read.
 *
 * Text is compared as it is, white space and line ends included. The file is asked again for its content when the new
 * one is ready and only the rename is left.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Lexical from "../scope/Lexical.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import * as Text from "../scope/Text.ts"
import { fromScope, invalid } from "./Failure.ts"
import { maxFileBytes } from "./Limits.ts"
import * as LineWindow from "./LineWindow.ts"
import * as Tool from "./Tool.ts"
import type { Tracker } from "./Tracker.ts"
import { mutates } from "./Write.ts"

const Parameters = Schema.Struct({
  file_path: Schema.String.annotate({ description: "Absolute path of the file." }),
  old_string: Schema.String.annotate({
    description: "The text to replace, exactly as it is in the file: without line numbers, with all white space."
  }),
  new_string: Schema.String.annotate({ description: "The text to put in its place. Empty to delete." }),
  replace_all: Schema.Boolean.annotate({
    description: "Replace every occurrence. By default the text must occur once."
  }).pipe(Schema.withDecodingDefaultKey(Effect.succeed(false)))
})

const description =
  "Replaces exact text in a file. The file must have been read with Read before and must not have " +
  "changed since. Without replace_all, old_string must occur exactly once: add lines around it to make it unique. " +
  "Returns the lines around the first change. Several edits of one file in one response are made in order."

/** Lines shown before and after the first changed one. */
const around = 3

const preview = (content: string, at: number): string => {
  const line = content.slice(0, at).split("\n").length - 1
  const offset = Math.max(0, line - around)
  const window = LineWindow.make({ offset, limit: line - offset + around + 1, maxBytes: Number.MAX_SAFE_INTEGER })
  window.push(Text.encode(content))
  return window
    .finish()
    .lines.map((text, index) => LineWindow.render(text, offset + index + 1))
    .join("")
}

const unix = (text: string): string => text.replaceAll("\r\n", "\n")

const notFound = (path: string, content: string, old: string): string => {
  const hint = unix(content).includes(unix(old))
    ? " It would match but for the line ends: the file has " +
      `${content.includes("\r\n") ? "CRLF (\\r\\n)" : "LF (\\n)"}, use the same.`
    : " Read the file again and copy the text exactly, without line numbers."
  return `old_string does not occur in ${path}.${hint}`
}

export const make = (options: { readonly fs: ScopedFsShape; readonly tracker: Tracker }): Tool.Tool => {
  const { fs, tracker } = options

  /** The content, if it is what the model saw last. */
  const current = Effect.fnUntraced(function* (path: string) {
    const { bytes, real } = yield* Effect.mapError(fs.readBytes(path, maxFileBytes), fromScope)
    yield* tracker.verify(path, real, bytes)
    return bytes
  })

  return Tool.make({
    name: "Edit",
    description,
    parameters: Parameters,
    idempotent: false,
    mutates,
    run: Effect.fn("Tool.Edit")(function* (args) {
      const { file_path: path, new_string: replacement, old_string: old } = args
      if (old === "") return yield* invalid("old_string is empty. To write a whole file, use Write.")
      if (old === replacement) return yield* invalid("old_string and new_string are the same: nothing would change.")
      const target = yield* Effect.mapError(fs.resolveForWrite(path), fromScope)
      return yield* tracker.exclusively(target.real)(
        Effect.gen(function* () {
          const content = Text.decodeStrict(yield* current(path))
          if (content === undefined) return yield* invalid(`${path} is not valid UTF-8 text and cannot be edited.`)
          const first = content.indexOf(old)
          if (first < 0) return yield* invalid(notFound(path, content, old))
          const parts = content.split(old)
          const count = parts.length - 1
          if (count > 1 && !args.replace_all) {
            return yield* invalid(
              `old_string occurs ${count} times in ${path}. Add lines around it to make it unique, or set replace_all.`
            )
          }
          const edited = parts.join(replacement)
          const bytes = Text.encode(edited)
          const { real } = yield* fs
            .writeAtomic(path, bytes, () => Effect.asVoid(current(path)))
            .pipe(Effect.catchTag("ScopeError", (error) => Effect.fail(fromScope(error))))
          yield* tracker.record(real, bytes)
          const name = real === Lexical.normalize(path) ? path : `${path} (that is ${real})`
          const shown = preview(edited, first)
          return {
            summary: `Edited ${name}: ${count === 1 ? "1 replacement" : `${count} replacements`}.`,
            ...(shown === "" ? {} : { content: shown })
          }
        })
      )
    })
  })
}
