/** A vendor's client as its tests see it, and a server in its dialect to try it on. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { VendorOptions } from "../../../../layers/llm/vendor/Vendor.ts"
import type { LlmClient } from "../../../../src/llm/LlmClient.ts"
import type { LlmError } from "../../../../src/llm/LlmError.ts"
import type { LlmEvent, StopReason } from "../../../../src/llm/LlmEvent.ts"
import { request } from "../../../llm/fakeClient.ts"
import { type Reply, VendorServer } from "../../../support/VendorServer.ts"

export const key = "sk-secret-0123456789"

export interface VendorUnderTest {
  readonly name: string
  readonly make: (options: VendorOptions) => Effect.Effect<LlmClient["Service"], LlmError>
  /** The base URL of a server whose address is `http://host:port`. */
  readonly baseUrl: (address: string) => string
  /** Arguments come in one piece. */
  readonly wholeArguments?: true
  /** A refusal has no words: it is a reason to stop. */
  readonly silentRefusal?: true
  /** Where a request has the conversation. */
  readonly conversation: "messages" | "input" | "contents"
  readonly stopReasons: Readonly<Record<string, StopReason>>
  /** The statuses of these two error types inside a stream. */
  readonly streamErrors: ReadonlyArray<{ readonly type: string; readonly status: number | undefined }>
  readonly overflows: ReadonlyArray<{ readonly status: number; readonly type: string; readonly message: string }>
}

export const options = (vendor: VendorUnderTest, server: VendorServer): VendorOptions => ({
  apiKey: Redacted.make(key),
  baseUrl: vendor.baseUrl(server.anthropicUrl),
  model: "model-1",
  contextWindow: 100_000
})

export const setUp = Effect.fnUntraced(function* (vendor: VendorUnderTest, ...replies: ReadonlyArray<Reply>) {
  const server = yield* VendorServer.scoped
  server.reply(...replies)
  return { server, client: yield* vendor.make(options(vendor, server)) }
})

export const collect = (client: LlmClient["Service"]): Effect.Effect<ReadonlyArray<LlmEvent>, LlmError> =>
  Stream.runCollect(client.stream(request))
