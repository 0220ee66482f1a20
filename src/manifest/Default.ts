/**
 * The manifest of a pod that nobody configured: named after its directory, may write in it, and uses whatever model
 * the environment has a key for.
 *
 * Pure: the environment comes in as a record.
 */
import * as Effect from "effect/Effect"
import * as Lexical from "../scope/Lexical.ts"
import { defaultModel } from "./Catalog.ts"
import { make, type Manifest, type ManifestInput } from "./Manifest.ts"
import type { ManifestError } from "./ManifestError.ts"
import { sanitisePodName } from "./PodName.ts"

/** An empty variable counts as unset. */
export type Environment = Readonly<Record<string, string | undefined>>

export const variable = (env: Environment, name: string): string | undefined => {
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  return value === undefined || value === "" ? undefined : value
}

/** The vendor's tools look for both. */
export const geminiKeyVariables = ["GEMINI_API_KEY", "GOOGLE_API_KEY"] as const

export interface ModelChoice {
  readonly model: NonNullable<ManifestInput["model"]>
  /** What a person should know about the choice. Names of variables, never their values. */
  readonly notes: ReadonlyArray<string>
}

/** The model for a manifest that says nothing about it. */
export const modelFromEnvironment = (env: Environment): ModelChoice => {
  if (variable(env, "ANTHROPIC_API_KEY") !== undefined) {
    return { model: { ref: `anthropic/${defaultModel.anthropic}` }, notes: [] }
  }
  if (variable(env, "OPENAI_API_KEY") !== undefined) {
    return { model: { ref: `openai/${defaultModel.openai}` }, notes: [] }
  }
  if (geminiKeyVariables.some((name) => variable(env, name) !== undefined)) {
    return { model: { ref: `gemini/${defaultModel.gemini}` }, notes: [] }
  }
  const note =
    "No model key found: using the embedded offline model. " +
    "Set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY for a real one."
  return { model: { scheme: "offline" }, notes: [note] }
}

/** `cwd` is absolute. */
export const defaultInput = (options: {
  readonly cwd: string
  readonly env: Environment
}): { readonly input: ManifestInput; readonly notes: ReadonlyArray<string> } => {
  const { model, notes } = modelFromEnvironment(options.env)
  return {
    input: {
      pod: { name: sanitisePodName(Lexical.name(Lexical.normalize(options.cwd))) },
      model,
      scope: { allow: [{ target: options.cwd, permission: "write" }] }
    },
    notes
  }
}

/** Fails only if `cwd` is not absolute. */
export const defaultManifest = (options: {
  readonly cwd: string
  readonly env: Environment
}): Effect.Effect<{ readonly manifest: Manifest; readonly notes: ReadonlyArray<string> }, ManifestError> => {
  const { input, notes } = defaultInput(options)
  return Effect.map(make(input, { subject: "default manifest" }), (manifest) => ({ manifest, notes }))
}
