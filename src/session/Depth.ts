/** How deep a JSON value may be nested. What writes JSON calls itself for each level, and ends where the stack does. */

/** Levels of objects and arrays in a line of a journal. */
export const maxDepth = 500

/** The text needs a bracket for each level, and one that closes it. */
const shortest = 2 * maxDepth

/** `length` is that of the text, in bytes or in characters: most lines are too short to be looked at. */
export const isTooDeep = (json: unknown, length: number = Infinity): boolean =>
  length > shortest && exceeds(json, maxDepth)

const exceeds = (json: unknown, levels: number): boolean => {
  if (typeof json !== "object" || json === null) return false
  if (levels === 0) return true
  // Every long line of a log comes by here: no list is made of what is in it.
  if (Array.isArray(json)) return json.some((inner) => exceeds(inner, levels - 1))
  for (const key in json) if (exceeds((json as { readonly [key: string]: unknown })[key], levels - 1)) return true
  return false
}
