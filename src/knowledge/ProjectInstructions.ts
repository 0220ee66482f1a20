/**
 * `AGENTS.md` of the working directory: what a project tells every agent that works in it.
 *
 * Only that one file, read once. It belongs to the project and not to the user, so it is bounded, may not lead out of
 * the directory, and a file that cannot be used is a warning, never a pod that does not start.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { readTextFile } from "../manifest/TextFile.ts"
import type { AlertSource } from "../protocol/Status.ts"
import { staysInside } from "./Instruction.ts"

export const projectInstructionsBytes = 64 * 1024

export interface PromptAlert {
  readonly level: "warn" | "error"
  readonly source: AlertSource
  readonly message: string
}

export interface ProjectInstructions {
  /** Undefined if there is no such file, or none that can be used. */
  readonly text: string | undefined
  readonly alerts: ReadonlyArray<PromptAlert>
}

const none = (message?: string): ProjectInstructions => ({
  text: undefined,
  alerts: message === undefined ? [] : [{ level: "warn", source: "agents_md", message }]
})

export const readProjectInstructions: (
  cwd: string
) => Effect.Effect<ProjectInstructions, never, FileSystem.FileSystem> = Effect.fnUntraced(function* (cwd) {
  const path = `${cwd === "/" ? "" : cwd}/AGENTS.md`
  const file = yield* Effect.result(readTextFile(path, projectInstructionsBytes))
  if (file._tag === "Failure") {
    return file.failure.reason === "NotFound" ? none() : none(`AGENTS.md is not used: ${file.failure.message}`)
  }
  if (!(yield* staysInside(cwd, path))) {
    return none(`AGENTS.md is not used: ${path} is a link that leads out of ${cwd}`)
  }
  const { cut, size, text } = file.success
  if (!cut) return { text: text.trim() === "" ? undefined : text, alerts: [] }
  const note = `only the first ${projectInstructionsBytes} of its ${size} bytes are used`
  return {
    text: `${text.trimEnd()}\n\n[AGENTS.md is long: ${note}.]`,
    alerts: none(`AGENTS.md is long: ${note}`).alerts
  }
})
