/**
 * Anthropic's Messages API, and servers that speak it.
 *
 * One attempt per stream; the SDK is loaded at the first one. The key goes out as `Authorization` and as `X-Api-Key`:
 * compatible servers look for one or the other. `temperature`, `top_p` and `top_k` are sent with the older version of
 * the API, because the newest one refuses them. Without `max_tokens` in the configuration, `defaultMaxTokens` is asked for.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import type { LlmError } from "../../src/llm/LlmError.ts"
import { decoder } from "./anthropic/Events.ts"
import { build } from "./anthropic/Request.ts"
import * as CallIds from "./vendor/CallIds.ts"
import * as Ignored from "./vendor/Ignored.ts"
import { sight } from "./vendor/Seen.ts"
import * as Settings from "./vendor/Settings.ts"
import * as Vendor from "./vendor/Vendor.ts"

export type { ModelCapability, VendorOptions } from "./vendor/Vendor.ts"
export { defaultMaxTokens } from "./anthropic/Request.ts"

export const provider = "anthropic"

/** Fails with reason `Config`: no key for a server that needs one, a URL that is none. Nothing is sent yet. */
export const make = Effect.fnUntraced(function* (
  options: Vendor.VendorOptions
): Effect.fn.Return<LlmClient["Service"], LlmError> {
  const { baseUrl, vendor } = yield* Settings.check(provider, options, {
    baseUrl: "https://api.anthropic.com",
    keyVariable: "ANTHROPIC_API_KEY"
  })
  const load = Settings.once(async () => {
    const { default: Anthropic } = await import("@anthropic-ai/sdk")
    const key = options.apiKey === undefined ? undefined : Redacted.value(options.apiKey)
    return new Anthropic({
      // Any key at all keeps the SDK from looking for one in files and variables.
      apiKey: key ?? "none",
      baseURL: baseUrl,
      defaultHeaders: key === undefined ? { authorization: null, "x-api-key": null } : { "x-api-key": key },
      maxRetries: 0,
      timeout: Settings.noSdkTimeout,
      logLevel: "off",
      openTelemetry: false,
      fetchOptions: Settings.fetchOptions(options.connectTimeout)
    })
  })
  const warn = Ignored.warnOnce(provider)
  return {
    info: {
      provider,
      model: options.model,
      contextWindow: options.contextWindow,
      ...sight(options)
    },
    stream: (request, alive = () => {}) => {
      const { body, headers, ignored } = build(options, request)
      return Stream.unwrap(
        Effect.map(warn(ignored), () =>
          Vendor.attempt(vendor, {
            open: async (signal) => (await load()).messages.create(body, { signal, headers }).asResponse(),
            decoder: decoder(vendor, CallIds.forAnswer(request)),
            alive
          })
        )
      )
    }
  }
})

export const layer = (options: Vendor.VendorOptions): Layer.Layer<LlmClient, LlmError> =>
  Layer.effect(LlmClient, make(options))
