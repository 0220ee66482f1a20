/**
 * Google's Gemini API.
 *
 * One attempt per stream; the SDK is loaded at the first one, in its form for the web: it reads no variables, no
 * credentials of Google Cloud and no files. The key goes out as `x-goog-api-key`, never in the address.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import type { LlmError } from "../../src/llm/LlmError.ts"
import { decoder } from "./gemini/Events.ts"
import { errorOf } from "./gemini/Http.ts"
import { build, type WireRequest } from "./gemini/Request.ts"
import * as CallIds from "./vendor/CallIds.ts"
import * as Ignored from "./vendor/Ignored.ts"
import { sight } from "./vendor/Seen.ts"
import * as Settings from "./vendor/Settings.ts"
import * as Vendor from "./vendor/Vendor.ts"

export const provider = "gemini"

/** Fails with reason `Config`: no key for a server that needs one, a URL that is none. Nothing is sent yet. */
export const make = Effect.fnUntraced(function* (
  options: Vendor.VendorOptions
): Effect.fn.Return<LlmClient["Service"], LlmError> {
  const { baseUrl, vendor } = yield* Settings.check(provider, options, {
    baseUrl: "https://generativelanguage.googleapis.com",
    keyVariable: "GEMINI_API_KEY"
  })
  const load = Settings.once(async () => {
    const { GoogleGenAI } = await import("@google/genai/web")
    // The SDK insists on a key; without one, its header is taken out again.
    const apiKey = options.apiKey === undefined ? "none" : Redacted.value(options.apiKey)
    const client = new GoogleGenAI({ apiKey, vertexai: false, apiVersion: "v1beta", httpOptions: { baseUrl } })
    return { models: client.models, fetchOptions: Settings.fetchOptions(options.connectTimeout) }
  })
  const open = async ({ config, contents }: WireRequest, signal: AbortSignal): Promise<Response> => {
    const { fetchOptions, models } = await load()
    let answer: Response | undefined
    // Its stream is not read, so that the body is left to us.
    await models.generateContentStream({
      model: options.model,
      contents,
      config: {
        ...config,
        abortSignal: signal,
        automaticContinuation: false,
        automaticFunctionCalling: { disable: true },
        httpOptions: {
          fetch: async (input, init) => {
            const headers = new Headers(init?.headers)
            if (options.apiKey === undefined) headers.delete("x-goog-api-key")
            answer = await fetch(input, { ...init, headers, ...fetchOptions })
            if (!answer.ok) throw await errorOf(answer)
            return answer
          }
        }
      }
    })
    if (answer === undefined) throw new Error("the SDK made no request")
    return answer
  }
  const warn = Ignored.warnOnce(provider)
  return {
    info: {
      provider,
      model: options.model,
      contextWindow: options.contextWindow,
      ...sight(options)
    },
    stream: (request, alive = () => {}) => {
      const wire = build(options, request)
      return Stream.unwrap(
        Effect.map(warn(wire.ignored), () =>
          Vendor.attempt(vendor, {
            open: (signal) => open(wire, signal),
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
