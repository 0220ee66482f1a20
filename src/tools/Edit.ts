/**
 * `Edit`: replaces exact text in a file that the model has read.
 *
 * Text is compared as it is, white space included. Line ends are those of the file, whichever ones the model
 * writes.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Text from "../scope/Text.ts"
import { unified } from "./Diff.ts"
import { invalid } from "./Failure.ts"
import * as FileChange from "./FileChange.ts"
import { maxFileBytes } from "./Limits.ts"
import { lineEndsOf, withEnds } from "./LineEnds.ts"
import * as Tool from "./Tool.ts"

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
  "Line ends stay as they are in the file. Returns the change as a diff. Several edits of one file in one response are made in order."

const notFound = (path: string, content: string): string =>
  `old_string does not occur in ${path}.` +
  (lineEndsOf(content) === "mixed"
    ? " Some of its lines end with CRLF (\\r\\n) and some with LF (\\n): use the same."
    : " Read the file again and copy the text exactly, without line numbers.")

/**
 * The content after the edit, and how often the text occurred; `count` 0 changes nothing. Nothing is made of what would
 * be larger than a file may be.
 */
export const replaceText = (
  content: string,
  given: { readonly old: string; readonly replacement: string }
): { readonly edited: string | undefined; readonly count: number } => {
  const ends = lineEndsOf(content)
  const [old, replacement] = [withEnds(given.old, ends), withEnds(given.replacement, ends)]
  const parts = content.split(old)
  const count = parts.length - 1
  const length = content.length + count * (replacement.length - old.length)
  return { edited: length > maxFileBytes ? undefined : parts.join(replacement), count }
}

const tooLarge = (path: string) =>
  invalid(`${path} would become larger than ${maxFileBytes} bytes, the limit for a file that is edited.`)

export const make = (options: FileChange.FileChangeOptions & { readonly contentBytes: number }): Tool.Tool => {
  const { alone, current, replace } = FileChange.make(options)

  return Tool.make({
    name: "Edit",
    description,
    parameters: Parameters,
    idempotent: false,
    mutates: FileChange.mutates,
    run: Effect.fn("Tool.Edit")(function* (args, { known }) {
      const { file_path: path, new_string: replacement, old_string: old } = args
      if (old === "") return yield* invalid("old_string is empty. To write a whole file, use Write.")
      if (old === replacement) return yield* invalid("old_string and new_string are the same: nothing would change.")
      const edit = Effect.gen(function* () {
        const content = Text.decodeStrict(yield* current(known, path))
        if (content === undefined) return yield* invalid(`${path} is not valid UTF-8 text and cannot be edited.`)
        const { count, edited } = replaceText(content, { old, replacement })
        if (edited === undefined) return yield* tooLarge(path)
        if (count === 0) return yield* invalid(notFound(path, content))
        if (count > 1 && !args.replace_all) {
          return yield* invalid(
            `old_string occurs ${count} times in ${path}. Add lines around it to make it unique, or set replace_all.`
          )
        }
        if (edited === content) return yield* invalid("Nothing would change but line ends, which stay as they are.")
        const bytes = Text.encode(edited)
        if (bytes.length > maxFileBytes) return yield* tooLarge(path)
        const written = yield* replace(known, path, bytes, current(known, path))
        const replacements = count === 1 ? "1 replacement" : `${count} replacements`
        return {
          summary: `Edited ${FileChange.named(path, written)}: ${replacements}.${FileChange.otherNames(written)}`,
          content: unified(content, edited, options.contentBytes),
          seen: written.seen
        }
      })
      return yield* alone(path, edit)
    })
  })
}
