/** Says once, in the log, which of the configured settings a model is not given. */
import * as Effect from "effect/Effect"

/** One set of words per client: the same setting is told once, however many requests carry it. */
export const warnOnce = (provider: string) => {
  const told = new Set<string>()
  return (ignored: ReadonlyArray<string>): Effect.Effect<void> =>
    Effect.forEach(
      ignored.filter((setting) => !told.has(setting)),
      (setting) => {
        told.add(setting)
        return Effect.logWarning(`${provider}: this setting is not sent: ${setting}`)
      },
      { discard: true }
    )
}
