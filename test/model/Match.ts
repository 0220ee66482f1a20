/** Compares what the model says with what the pod says, and learns the names that only the pod knows. */

/** What the pod calls the things that the model has named. */
export type Names = ReadonlyMap<string, unknown>

export type Matched = { readonly names: Names } | { readonly differs: string }

const isName = (value: unknown): value is string => typeof value === "string" && value.startsWith("§")

/** Two names never mean one thing, and one name never two. Fields that the model does not have are not compared. */
export const match = (model: unknown, real: unknown, names: Names): Matched => {
  const learned = new Map(names)
  const taken = new Set(names.values())
  const walk = (expected: unknown, actual: unknown, path: string): string | undefined => {
    if (isName(expected)) {
      if (!learned.has(expected)) {
        if (actual === undefined || actual === "" || taken.has(actual)) return `${path}: new expected, not ${actual}`
        learned.set(expected, actual)
        taken.add(actual)
        return undefined
      }
      return learned.get(expected) === actual ? undefined : `${path}: ${expected} expected, not ${actual}`
    }
    if (Array.isArray(expected) && Array.isArray(actual)) {
      for (const [i, element] of expected.entries()) {
        const wrong = i < actual.length ? walk(element, actual[i], `${path}[${i}]`) : undefined
        if (wrong !== undefined) return wrong
      }
      return expected.length === actual.length
        ? undefined
        : `${path}: ${expected.length} elements expected, not ${actual.length}`
    }
    if (typeof expected === "object" && expected !== null && typeof actual === "object" && actual !== null) {
      for (const [key, value] of Object.entries(expected)) {
        const wrong = walk(value, (actual as Record<string, unknown>)[key], `${path}.${key}`)
        if (wrong !== undefined) return wrong
      }
      return undefined
    }
    return Object.is(expected, actual)
      ? undefined
      : `${path}: ${JSON.stringify(expected)} expected, not ${JSON.stringify(actual)}`
  }
  const differs = walk(model, real, "")
  return differs === undefined ? { names: learned } : { differs }
}
