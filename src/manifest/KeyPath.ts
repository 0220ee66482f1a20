/** The place of a value in a manifest, as people write it: `scope.allow[0].target`. */

export type KeyPath = ReadonlyArray<string | number>

const bare = /^[A-Za-z0-9_-]+$/

export const formatKeyPath = (path: KeyPath): string => {
  let text = ""
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`
    else text += `${text === "" ? "" : "."}${bare.test(part) ? part : JSON.stringify(part)}`
  }
  return text
}

/** What stands at a path in a plain value, or undefined. */
export const valueAt = (value: unknown, path: KeyPath): unknown => {
  let current = value
  for (const part of path) {
    if (typeof current !== "object" || current === null) return undefined
    current = Reflect.get(current, part)
  }
  return current
}
