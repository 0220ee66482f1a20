/** The tools of one pod: fixed for its life, sorted by name, so that every request offers the same bytes. */
import * as Effect from "effect/Effect"
import type { ToolSpec } from "../llm/LlmRequest.ts"
import type { Tool } from "../tools/Tool.ts"
import { ToolDefinitionError } from "../tools/ToolDefinitionError.ts"

export interface Toolbox {
  readonly specs: ReadonlyArray<ToolSpec>
  readonly names: ReadonlyArray<string>
  readonly get: (name: string) => Tool | undefined
}

/** The pod's own tools and those of the program around it. One that cannot be offered to a model is found here. */
export const withOwn = Effect.fnUntraced(function* (builtin: ReadonlyArray<Tool>, own: ReadonlyArray<Tool>) {
  const builtinNames = new Set(builtin.map(({ spec }) => spec.name))
  const seen = new Set<string>()
  for (const { replaces, spec } of own) {
    const problem = seen.has(spec.name)
      ? taken(spec.name, "two of the given tools have this name", "give each of them one of its own")
      : builtinNames.has(spec.name) && replaces !== true
        ? taken(spec.name, "a built-in tool has this name", "choose another, or say `replaces: true`")
        : unfit(spec)
    if (problem !== undefined) return yield* problem
    seen.add(spec.name)
  }
  return make([...builtin, ...own])
})

const taken = (tool: string, problem: string, hint: string): ToolDefinitionError =>
  new ToolDefinitionError({ reason: "NameTaken", tool, problem, hint })

/** Every vendor takes such names; some take more. */
const validName = /^[A-Za-z0-9_-]{1,64}$/

const unfit = (spec: ToolSpec): ToolDefinitionError | undefined => {
  const tool = spec.name
  if (!validName.test(tool)) {
    return new ToolDefinitionError({
      reason: "BadName",
      tool,
      problem: "models cannot be given this name",
      hint: "1 to 64 letters, digits, _ and -"
    })
  }
  try {
    const { type } = spec.parameters
    if (type === undefined || type === "object") return undefined
    const problem = `its parameters are of type ${JSON.stringify(type)}`
    return new ToolDefinitionError({ reason: "BadParameters", tool, problem, hint: "expected the schema of an object" })
  } catch (cause) {
    const problem = `its parameters have no JSON Schema: ${cause instanceof Error ? cause.message : String(cause)}`
    return new ToolDefinitionError({ reason: "BadParameters", tool, problem })
  }
}

/** Of two tools with one name the later wins, so that a program can replace a built-in one. */
export const make = (tools: ReadonlyArray<Tool>): Toolbox => {
  const byName = new Map(tools.map((tool) => [tool.spec.name, tool]))
  const names = Array.from(byName.keys()).toSorted()
  return {
    names,
    specs: names.map((name) => (byName.get(name) as Tool).spec),
    get: (name) => byName.get(name)
  }
}
