/**
 * Finding the instruction that a manifest names: `$builtin/…`, `$user/…` or `$workspace/…`.
 *
 * Each prefix is one place. What is missing in one is not looked for in another, so that a project cannot stand in
 * for the user's own prompt, nor the other way round.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { instructionPattern } from "../manifest/tables/Worker.ts"
import { readTextFile } from "../manifest/TextFile.ts"
import { defaultInstruction } from "./DefaultInstruction.ts"
import { PromptError } from "./PromptError.ts"
import { parseTemplate, type Template } from "./Template.ts"

export const instructionVariables = ["date", "time", "datetime", "cwd", "language", "tools"] as const
export type InstructionVariable = (typeof instructionVariables)[number]
export type Instruction = Template<InstructionVariable>

/** Absolute directories; a missing one makes its references errors. */
export interface PromptDirectories {
  /** `<config>/prompts`. */
  readonly user?: string
  /** `<workspace>/.pod/prompts`. */
  readonly workspace?: string
}

const builtin: ReadonlyMap<string, string> = new Map([["default", defaultInstruction]])
const instructionBytes = 256 * 1024

/** An instruction given as text by a program, checked like one from a file. */
export const instructionFromText = (text: string, subject: string): Effect.Effect<Instruction, PromptError> =>
  Effect.fromResult(parseTemplate(text, subject, instructionVariables))

/** Reads and checks it, so that a bad prompt is found at start and not at the first request. */
export const loadInstruction: (
  reference: string,
  directories: PromptDirectories
) => Effect.Effect<Instruction, PromptError, FileSystem.FileSystem> = Effect.fn("Instruction.load")(
  function* (reference, directories) {
    const match = instructionPattern.exec(reference)
    const name = match?.[2]?.slice(1) ?? ""
    if (match === null) {
      return yield* new PromptError({
        subject: reference,
        problem: "not a reference to a prompt",
        hint: "$builtin/default, $user/name or $workspace/name, without . and .."
      })
    }
    if (match[1] === "builtin") {
      const text = builtin.get(name)
      if (text !== undefined) return yield* instructionFromText(text, reference)
      const known = [...builtin.keys()].map((key) => `$builtin/${key}`).join(", ")
      return yield* new PromptError({ subject: reference, problem: "there is no such prompt", hint: `known: ${known}` })
    }
    const directory = match[1] === "user" ? directories.user : directories.workspace
    if (directory === undefined) {
      return yield* new PromptError({ subject: reference, problem: `no ${match[1]} prompt directory is known here` })
    }
    const path = `${directory}/${name.endsWith(".md") ? name : `${name}.md`}`
    const file = yield* readTextFile(path, instructionBytes).pipe(
      Effect.mapError((error) => new PromptError({ subject: reference, problem: error.message }))
    )
    if (file.cut) {
      return yield* new PromptError({ subject: reference, problem: `${path} is longer than ${instructionBytes} bytes` })
    }
    if (match[1] === "workspace" && !(yield* staysInside(directory, path))) {
      return yield* new PromptError({ subject: reference, problem: `${path} is a link that leads out of ${directory}` })
    }
    return yield* instructionFromText(file.text, `${reference} (${path})`)
  }
)

/** Whether a path, links followed, is still below a directory. What cannot be resolved is not. */
export const staysInside: (directory: string, path: string) => Effect.Effect<boolean, never, FileSystem.FileSystem> =
  Effect.fnUntraced(function* (directory, path) {
    const files = yield* FileSystem.FileSystem
    const [outer, inner] = yield* Effect.all([files.realPath(directory), files.realPath(path)]).pipe(
      Effect.orElseSucceed(() => [undefined, undefined] as const)
    )
    return outer !== undefined && inner !== undefined && inner.startsWith(outer.endsWith("/") ? outer : `${outer}/`)
  })
