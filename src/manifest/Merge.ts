/**
 * Laying one manifest over another, before defaults and before decoding.
 *
 * Single values and arrays of the upper one win; tables and maps are merged key by key; the lists of rules are
 * joined, lower first. Relative paths must have been made absolute before: they belong to their own file.
 */
import { formatKeyPath, type KeyPath } from "./KeyPath.ts"
import { isTable } from "./Paths.ts"

const joined = new Set(["scope.allow", "scope.deny", "permissions.rule", "hooks.command", "skills.directories"])

export const mergeManifests = (lower: unknown, upper: unknown): unknown => merge(lower, upper, [])

const merge = (lower: unknown, upper: unknown, path: KeyPath): unknown => {
  if (upper === undefined || upper === null) return lower
  if (Array.isArray(lower) && Array.isArray(upper) && joined.has(formatKeyPath(path))) return [...lower, ...upper]
  if (!isTable(lower) || !isTable(upper)) return upper
  // Two kinds of one thing have different keys; a mixture would be neither.
  if (upper["kind"] !== undefined && upper["kind"] !== lower["kind"]) return upper
  const merged = new Map(Object.entries(lower))
  for (const [key, value] of Object.entries(upper)) merged.set(key, merge(merged.get(key), value, [...path, key]))
  return Object.fromEntries(merged)
}
