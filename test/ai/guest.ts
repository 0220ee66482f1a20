/** A pod whose model is one of Effect's, and a tool for it to call. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as PodTest from "../../layers/PodTest.ts"
import type * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as FromLanguageModel from "../../src/ai/FromLanguageModel.ts"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import * as Pod from "../../src/pod/Pod.ts"
import type { PodHandle } from "../../src/pod/PodHandle.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import * as Tool from "../../src/tools/Tool.ts"
import type * as AiScript from "../support/AiScript.ts"

const manifest = Manifest.make({ pod: { name: "guest" }, scope: { allow: [{ target: "/tmp", permission: "read" }] } })

const Length = Tool.make({
  name: "Length",
  description: "How long a word is.",
  parameters: Schema.Struct({ word: Schema.String }),
  idempotent: true,
  run: ({ word }) => Effect.succeed(`${word} has ${word.length} letters`)
})

export const open = Effect.fnUntraced(function* (
  script: AiScript.AiScript,
  options: {
    readonly store?: MemoryStore.MemoryStore
    readonly provider?: string
  } = {}
) {
  const client = FromLanguageModel.make(script.model, {
    provider: options.provider ?? "effect:script",
    model: "script-1"
  })
  const made = Pod.make(yield* manifest, { tools: [Length] }).pipe(Effect.provideService(LlmClient, client))
  return yield* made.pipe(Effect.provide(PodTest.world(options.store), { local: true }))
})

export const entries = (pod: PodHandle) =>
  Effect.map(pod.readEntries(0, 1000), (read) => read.entries.map((text) => JSON.parse(text) as LogEntry))

export const items = (pod: PodHandle) =>
  Effect.map(entries(pod), (all) =>
    all.flatMap((entry) => (entry.kind === "assistant_item" || entry.kind === "tool_result" ? [entry.item] : []))
  )
