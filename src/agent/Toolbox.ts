/** The tools of one pod: fixed for its life, sorted by name, so that every request offers the same bytes. */
import type { ToolSpec } from "../llm/LlmRequest.ts"
import type { Tool } from "../tools/Tool.ts"

export interface Toolbox {
  readonly specs: ReadonlyArray<ToolSpec>
  readonly names: ReadonlyArray<string>
  readonly get: (name: string) => Tool | undefined
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
