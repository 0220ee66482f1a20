/**
 * OpenAI's Responses API, and servers that speak it.
 *
 * One attempt per stream; the SDK is loaded at the first one. Nothing is stored at the vendor. Without `max_tokens` in
 * the configuration no limit is asked for. Variables that the SDK reads by itself (organisation, project, base URL) are
 * not read.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import type { LlmError } from "../../src/llm/LlmError.ts"
import { decoder } from "./openaiResponses/Events.ts"
import { build } from "./openaiResponses/Request.ts"
import * as CallIds from "./vendor/CallIds.ts"
import * as Ignored from "./vendor/Ignored.ts"
import * as OpenAi from "./vendor/OpenAi.ts"
import { sight } from "./vendor/Seen.ts"
import * as Settings from "./vendor/Settings.ts"
import * as Vendor from "./vendor/Vendor.ts"

export const provider = "openai_responses"

/** Fails with reason `Config`: no key for a server that needs one, a URL that is none. Nothing is sent yet. */
export const make = Effect.fnUntraced(function* (
  options: Vendor.VendorOptions
): Effect.fn.Return<LlmClient["Service"], LlmError> {
  const { baseUrl, vendor } = yield* Settings.check(provider, options, OpenAi.defaults)
  const load = OpenAi.client(options, baseUrl)
  const warn = Ignored.warnOnce(provider)
  return {
    info: {
      provider,
      model: options.model,
      contextWindow: options.contextWindow,
      ...sight(options)
    },
    stream: (request, alive = () => {}) => {
      const { body, ignored } = build(options, request)
      return Stream.unwrap(
        Effect.map(warn(ignored), () =>
          Vendor.attempt(vendor, {
            open: async (signal) => (await load()).responses.create(body, { signal }).asResponse(),
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
