/**
 * Prompts with holes: plain text in which `{{name}}` stands for a value. `\{{` is two literal braces.
 *
 * Strict: a name that nobody fills is an error when the text is read, long before it is needed.
 */
import * as Result from "effect/Result"
import { nearest } from "../protocol/Nearest.ts"
import { PromptError } from "./PromptError.ts"

/** A text that has been checked against the names it may use. */
export interface Template<Name extends string> {
  readonly subject: string
  readonly parts: ReadonlyArray<{ readonly text: string } | { readonly name: Name }>
}

const opening = /\\\{\{|\{\{/g
const hole = /\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}/y

export const parseTemplate = <Name extends string>(
  text: string,
  subject: string,
  names: ReadonlyArray<Name>
): Result.Result<Template<Name>, PromptError> => {
  const parts: Array<Template<Name>["parts"][number]> = []
  const lineAt = (index: number) => text.slice(0, index).split("\n").length
  let from = 0
  for (const mark of text.matchAll(opening)) {
    parts.push({ text: text.slice(from, mark.index) })
    if (mark[0].startsWith("\\")) {
      parts.push({ text: "{{" })
      from = mark.index + mark[0].length
      continue
    }
    hole.lastIndex = mark.index
    const found = hole.exec(text)
    if (found === null) {
      return Result.fail(
        new PromptError({
          subject,
          line: lineAt(mark.index),
          problem: "`{{` does not open a variable",
          hint: "write {{name}}, or \\{{ for two braces"
        })
      )
    }
    const word = found[1] ?? ""
    const name = names.find((known) => known === word)
    if (name === undefined) {
      const near = nearest(word, names)
      return Result.fail(
        new PromptError({
          subject,
          line: lineAt(mark.index),
          problem: `there is no variable \`${word}\``,
          hint: near === undefined ? `known: ${names.join(", ")}` : `did you mean \`${near}\`?`
        })
      )
    }
    parts.push({ name })
    from = mark.index + found[0].length
  }
  parts.push({ text: text.slice(from) })
  return Result.succeed({ subject, parts })
}

/** Values are put in as they are: braces in them mean nothing. */
export const renderTemplate = <Name extends string>(
  template: Template<Name>,
  values: Readonly<Record<Name, string>>
): string => template.parts.map((part) => ("text" in part ? part.text : values[part.name])).join("")
