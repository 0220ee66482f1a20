/** Reads JSON that a server sent. Vendors leave fields out, send null, or mean something else: nothing here throws. */

/** The fields of an object; none for anything else. */
export const object = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

export const array = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

export const string = (value: unknown): string => (typeof value === "string" ? value : "")

/** A whole number that is not negative. */
export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined
