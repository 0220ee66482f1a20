/** The gates of a process: one for each endpoint and key, because a vendor counts by key. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Gate from "./Gate.ts"

export class Gates extends Context.Service<
  Gates,
  {
    /** The same for the same endpoint (host and port) and key. The key is never named. */
    readonly at: (endpoint: string, key: Redacted.Redacted<string> | undefined) => Gate.Gate
  }
>()("effect-pod/llm/Gates") {}

export const make = (settings?: Gate.GateSettings): Gates["Service"] => {
  const endpoints = new Map<string, Map<string, Gate.Gate>>()
  return {
    at: (endpoint, key) => {
      const byKey = endpoints.get(endpoint) ?? new Map<string, Gate.Gate>()
      endpoints.set(endpoint, byKey)
      const secret = key === undefined ? "" : Redacted.value(key)
      const gate = byKey.get(secret) ?? Gate.make(endpoint, settings)
      byKey.set(secret, gate)
      return gate
    }
  }
}

export const layer: Layer.Layer<Gates> = Layer.sync(Gates, () => make())
