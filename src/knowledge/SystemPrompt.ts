/**
 * The system prompt: instruction, boundaries, what the project says. Rendered once in the life of a session and then
 * kept in the journal word for word; nothing here is read again after that.
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { SandboxReport } from "../protocol/Greeting.ts"
import type { Instruction } from "./Instruction.ts"
import { type PromptAlert, readProjectInstructions } from "./ProjectInstructions.ts"
import { renderTemplate } from "./Template.ts"

export interface SystemPromptInput {
  readonly instruction: Instruction
  readonly language: string
  /** Absolute; the directory whose `AGENTS.md` counts. */
  readonly cwd: string
  /** Names; the order does not matter. */
  readonly tools: ReadonlyArray<string>
  /** What may be read and written, as people read it. */
  readonly scopeSummary: string
  readonly sandbox: SandboxReport
}

export interface SystemPrompt {
  readonly text: string
  /** For whoever is attached: what was left out, and why. */
  readonly alerts: ReadonlyArray<PromptAlert>
}

/** Cannot fail: the instruction was checked when it was loaded, and a bad `AGENTS.md` is an alert. */
export const renderSystemPrompt: (
  input: SystemPromptInput
) => Effect.Effect<SystemPrompt, never, FileSystem.FileSystem> = Effect.fn("SystemPrompt.render")(function* (input) {
  const now = DateTime.formatIso(DateTime.makeUnsafe(yield* Clock.currentTimeMillis))
  const body = renderTemplate(input.instruction, {
    date: now.slice(0, 10),
    time: now.slice(11, 19),
    datetime: `${now.slice(0, 19)}Z`,
    cwd: input.cwd,
    language: input.language,
    tools: input.tools.length === 0 ? "none" : input.tools.toSorted().join(", ")
  })
  const project = yield* readProjectInstructions(input.cwd)
  const sections = [
    section("Working boundaries", `${input.scopeSummary.trimEnd()}\n\n${sandboxNote(input.sandbox)}`),
    ...(project.text === undefined ? [] : [section("Project instructions (AGENTS.md)", project.text)])
  ]
  return { text: [body.trimEnd(), ...sections].join("\n\n").trimEnd(), alerts: project.alerts }
})

const section = (title: string, text: string): string => `---\n\n## ${title}\n\n${text.trimEnd()}`

const sandboxNote = (sandbox: SandboxReport): string =>
  sandbox.enforced
    ? [
        "These boundaries hold for every tool; commands run in a sandbox that enforces them. " +
          "Commands have a /tmp of their own, which file tools do not see and which lasts as long as the pod runs; the " +
          `home directory is empty unless it lies within the boundaries. ${sandbox.network === "deny" ? "Commands have no network." : ""}`.trimEnd(),
        ...(sandbox.narrower ?? []).map((line) => `- ${line}`)
      ].join("\n")
    : "File tools refuse what lies outside these boundaries. Commands are not fenced: there it is up to you to stay inside."
