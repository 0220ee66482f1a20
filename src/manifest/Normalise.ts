/**
 * Small repairs before decoding: absent values taken out, old spellings of keys replaced, removed keys refused.
 */
import type { ManifestProblem } from "./ManifestError.ts"
import { isTable } from "./Paths.ts"

/** Old spelling → key, by table. */
const renamed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  compaction: {
    compact_threshold: "threshold",
    compact_request_threshold: "request_threshold",
    compact_retained_tokens: "retained_tokens",
    compact_worker_max_input_tokens: "worker_context_max_tokens",
    compact_worker_max_turns: "worker_max_turns",
    compact_auto_read_budget: "auto_read_budget_tokens"
  }
}

const removed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  compaction: { prune_protected_turns: "use `prune_protected_tokens`" },
  memory: { extract_worker_max_input_tokens: "it has no successor" }
}

/** The old spelling that a key may also stand under, for finding it in a file. */
export const oldSpelling = (key: string): string | undefined => {
  const [table = "", name] = key.split(".")
  const old = Object.entries(renamed[table] ?? {}).find(([, now]) => now === name)
  return old === undefined ? undefined : `${table}.${old[0]}`
}

export const normalise = (
  input: unknown
): { readonly value: unknown; readonly problems: ReadonlyArray<ManifestProblem> } => {
  const value = dropAbsent(input)
  if (!isTable(value)) return { value, problems: [] }
  const problems: Array<ManifestProblem> = []
  const tables = Object.entries(value).map(([name, table]) => {
    const gone = removed[name] ?? {}
    const now = renamed[name] ?? {}
    if (!isTable(table)) return [name, table] as const
    const entries = Object.entries(table).flatMap(([key, content]) => {
      const hint = Object.hasOwn(gone, key) ? gone[key] : undefined
      if (hint !== undefined) {
        problems.push({ key: `${name}.${key}`, message: `\`${name}.${key}\` was removed`, hint })
        return []
      }
      const current = Object.hasOwn(now, key) ? now[key] : undefined
      if (current === undefined) return [[key, content] as const]
      if (Object.hasOwn(table, current)) {
        problems.push({
          key: `${name}.${key}`,
          message: `\`${name}.${key}\` is the old spelling of \`${name}.${current}\`, which is there too; keep one of them`
        })
        return []
      }
      return [[current, content] as const]
    })
    return [name, Object.fromEntries(entries)] as const
  })
  return { value: Object.fromEntries(tables), problems }
}

/** Null and undefined stand for a key that is not there: JSON and programs write them, TOML cannot. */
const dropAbsent = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(dropAbsent)
  if (!isTable(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) =>
      inner === null || inner === undefined ? [] : [[key, dropAbsent(inner)]]
    )
  )
}
