/** What a server says about when to come again. */

/**
 * Milliseconds, by `retry-after-ms`, else by `retry-after` as seconds or as an HTTP date; nothing that is not a time.
 * `nowMs` is Unix time.
 */
export const retryAfter = (header: (name: string) => string | null | undefined, nowMs: number): number | undefined => {
  const millis = Number(header("retry-after-ms") ?? Number.NaN)
  if (Number.isFinite(millis)) return Math.max(0, Math.ceil(millis))
  const text = header("retry-after")
  if (text == null || text.trim() === "") return undefined
  const seconds = Number(text)
  if (Number.isFinite(seconds)) return Math.max(0, Math.ceil(seconds * 1000))
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}
