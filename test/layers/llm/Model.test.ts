import { assert, describe, it } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Model from "../../../layers/llm/Model.ts"
import * as Gates from "../../../src/llm/Gates.ts"
import { originOf } from "../../../src/llm/LlmClient.ts"
import { resolveFallbacks } from "../../../src/manifest/Fallback.ts"
import { resolveModel } from "../../../src/manifest/Model.ts"
import { ModelTable } from "../../../src/manifest/tables/Model.ts"

const table = Schema.decodeSync(ModelTable)({
  ref: "anthropic/claude-sonnet-5-5",
  fallback: ["anthropic/claude-opus-5-5", "openai/gpt-5.4"],
  limits: { max_attempts: 2 }
})
const slow = Schema.decodeSync(ModelTable)({
  ref: "ollama/qwen3",
  fallback: ["anthropic/claude-opus-5-5", "vllm/other"],
  limits: { header_timeout: "2 minutes", max_attempts: 2 }
})
const env = { ANTHROPIC_API_KEY: "a", OPENAI_API_KEY: "o" }

describe("[model] fallback", () => {
  it.effect("is resolved like the model itself, with its limits; one endpoint has one gate", () =>
    Effect.gen(function* () {
      const own = yield* resolveModel(table, { env })
      const others = yield* resolveFallbacks(table, { env })
      assert.deepStrictEqual(
        others.map(({ limits, modelId, scheme }) => [scheme, modelId, limits.max_attempts]),
        [
          ["anthropic", "claude-opus-5-5", 2],
          ["openai_responses", "gpt-5.4", 2]
        ]
      )
      const client = yield* Model.makeWithFallbacks(own, others)
      const again = yield* Model.make(own)
      const [opus, gpt] = client.fallbacks ?? []
      assert.isDefined(client.gate)
      assert.strictEqual(opus?.gate, client.gate)
      assert.strictEqual(again.gate, client.gate, "another pod of the process")
      assert.notStrictEqual(gpt?.gate, client.gate)
      assert.strictEqual(originOf(client.info), "anthropic@api.anthropic.com")
      const otherKey = yield* Model.make({ ...own, apiKey: Redacted.make("b") })
      assert.notStrictEqual(otherKey.gate, client.gate)
    }).pipe(Effect.provide([Gates.layer, FileSystem.layerNoop({})]))
  )

  it.effect(
    "is waited for as the catalog says of it, else as the table; what the table says of its own model wins",
    () =>
      Effect.gen(function* () {
        const client = yield* Model.makeWithFallbacks(
          yield* resolveModel(slow, { env }),
          yield* resolveFallbacks(slow, { env })
        )
        const told = ({ limits }: Pick<typeof client, "limits">) => [
          limits?.max_attempts,
          ...[limits?.header_timeout, limits?.first_event_timeout, limits?.idle_timeout].map((time) =>
            Duration.toSeconds(time ?? 0)
          )
        ]
        assert.deepStrictEqual([client, ...(client.fallbacks ?? [])].map(told), [
          [2, 120, 300, 90],
          [2, 120, 30, 90],
          [2, 300, 300, 90]
        ])
      }).pipe(Effect.provide(FileSystem.layerNoop({})))
  )

  it.effect("that cannot be had as configured is named at start", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(resolveFallbacks(table, { env: { ANTHROPIC_API_KEY: "a" } }))
      assert.match(error.message, /model\.fallback\[1\].*OPENAI_API_KEY is not set/)
    }).pipe(Effect.provide(FileSystem.layerNoop({})))
  )
})

describe("a script as a model", () => {
  it.effect("sees what the manifest says that it can see", () =>
    Effect.gen(function* () {
      const path = yield* (yield* FileSystem.FileSystem).makeTempFileScoped()
      const seen = (capability?: { readonly vision: boolean; readonly documents?: boolean }) =>
        Effect.gen(function* () {
          const input = {
            scheme: "scripted",
            script: path,
            ...(capability === undefined ? {} : { capability })
          } as const
          const script = yield* Schema.decodeEffect(ModelTable)(input)
          const { info } = yield* Model.make(yield* resolveModel(script, { env: {} }))
          return [info.vision === true, info.documents]
        })
      assert.deepStrictEqual(yield* seen(), [false, undefined])
      assert.deepStrictEqual(yield* seen({ vision: true }), [true, undefined])
      assert.deepStrictEqual(yield* seen({ vision: true, documents: false }), [true, false])
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )
})
