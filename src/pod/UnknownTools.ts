/**
 * Rules and hooks about tools that the pod does not have.
 *
 * A name that is misspelt lets through what was meant to be stopped. It is told at the start and is no error: one
 * manifest may be meant for pods with different tools.
 */
import { matchesWildcard } from "../manifest/Wildcard.ts"
import type { HookCommand } from "../manifest/tables/Hooks.ts"
import type { PermissionsTable } from "../manifest/tables/Permissions.ts"
import { nearest } from "../protocol/Nearest.ts"

/** Built in, but not in every pod: rules about them may wait until they are switched on. */
const optional = ["WebFetch", "WebSearch"]

const meant = (name: string, tools: ReadonlyArray<string>): string => {
  const found = nearest(name, tools)
  return found === undefined ? "" : `: did you mean ${found}?`
}

/** One line for each name. */
export const unknownTools = (
  tables: ReadonlyArray<PermissionsTable>,
  hooks: ReadonlyArray<HookCommand>,
  offered: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const tools = [...offered, ...optional]
  const isKnown = (pattern: string): boolean =>
    tools.some((tool) => matchesWildcard(pattern.toLowerCase(), tool.toLowerCase()))
  const names = new Set(tools.map((tool) => tool.toLowerCase()))
  const ruled = tables.flatMap(({ rule }) => rule.map(({ tool }) => tool))
  return [
    ...Array.from(new Set(ruled.filter((tool) => !names.has(tool.toLowerCase())))).map((tool) =>
      isKnown(tool)
        ? `a rule of the permissions is about "${tool}", but a rule names one tool: it decides nothing`
        : `a rule of the permissions is about the tool "${tool}", which this pod does not have${meant(tool, tools)}`
    ),
    ...hooks
      .filter(({ on, tool }) => on.some((point) => point.endsWith("_tool_call")) && !isKnown(tool))
      .map(
        ({ name, tool }) =>
          `the hook "${name}" is about the tool "${tool}", which this pod does not have${meant(tool, tools)}`
      )
  ]
}
