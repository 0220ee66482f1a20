import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Manifest from "../../src/manifest/Manifest.ts"
import type { Environment } from "../../src/manifest/Default.ts"
import { parseToml } from "../../src/manifest/ManifestToml.ts"
import { resolveModel } from "../../src/manifest/Model.ts"

const keys = { ANTHROPIC_API_KEY: "anthropic-key", OPENAI_API_KEY: "openai-key" }

const resolve = (model: Manifest.ManifestInput["model"], env: Environment = keys) =>
  Effect.gen(function* () {
    const manifest = yield* Manifest.make({
      pod: { name: "agent" },
      scope: { allow: [{ target: "/w", permission: "read" }] },
      ...(model === undefined ? {} : { model })
    })
    return yield* resolveModel(manifest.model, { env, subject: "pod.toml" })
  }).pipe(Effect.provide(NodeFileSystem.layer))

const refusal = (model: Manifest.ManifestInput["model"], env?: Environment) =>
  Effect.map(Effect.flip(resolve(model, env)), (error) => error.message)

const keyOf = (model: { readonly apiKey: Redacted.Redacted<string> | undefined }) =>
  model.apiKey === undefined ? undefined : Redacted.value(model.apiKey)

describe("resolving a model", () => {
  it.effect("a reference takes what the catalog knows", () =>
    Effect.gen(function* () {
      const model = yield* resolve({ ref: "anthropic/claude-sonnet-5-5" })
      assert.strictEqual(model.scheme, "anthropic")
      assert.strictEqual(model.modelId, "claude-sonnet-5-5")
      assert.strictEqual(model.baseUrl, "https://api.anthropic.com")
      assert.strictEqual(model.contextWindow, 1_000_000)
      assert.strictEqual(keyOf(model), "anthropic-key")
      assert.deepStrictEqual(model.capability, {
        tool_calling: "parallel",
        reasoning: "effort",
        vision: true,
        prompt_caching: { kind: "explicit", max_breakpoints: 4 }
      })
      assert.deepStrictEqual(model.notes, [])
    })
  )

  it.effect("only the first slash splits a reference, and a provider's own key is used, not its dialect's", () =>
    Effect.gen(function* () {
      const env = { ...keys, OPENROUTER_API_KEY: "router-key" }
      const model = yield* resolve({ ref: "openrouter/anthropic/claude-sonnet-5.5" }, env)
      assert.strictEqual(model.scheme, "openai_chat")
      assert.strictEqual(model.modelId, "anthropic/claude-sonnet-5.5")
      assert.strictEqual(model.baseUrl, "https://openrouter.ai/api/v1")
      assert.strictEqual(keyOf(model), "router-key")
      assert.include(yield* refusal({ ref: "openrouter/x/y" }), "the variable OPENROUTER_API_KEY is not set")
      assert.include(
        yield* refusal({ ref: "openrouter/x/y", auth: { kind: "api_key" } }),
        "the variable OPENROUTER_API_KEY is not set"
      )
    })
  )

  it.effect("what the manifest says wins over the catalog", () =>
    Effect.gen(function* () {
      const model = yield* resolve(
        {
          ref: "anthropic/claude-sonnet-5-5",
          scheme: "openai_chat",
          model_id: "other",
          base_url: "http://127.0.0.1:1/v1",
          auth: { kind: "api_key", env: "MINE" },
          context_window: 50_000,
          max_context_window: 40_000,
          capability: { tool_calling: "none" }
        },
        { ...keys, MINE: "mine" }
      )
      assert.strictEqual(model.scheme, "openai_chat")
      assert.strictEqual(model.modelId, "other")
      assert.strictEqual(model.baseUrl, "http://127.0.0.1:1/v1")
      assert.strictEqual(keyOf(model), "mine")
      assert.strictEqual(model.contextWindow, 40_000)
      assert.deepStrictEqual(model.capability, { tool_calling: "none", vision: false })
      assert.deepStrictEqual(model.notes, [])
    })
  )

  it.effect("a model that the catalog does not know works, with a guess that is said aloud", () =>
    Effect.gen(function* () {
      const model = yield* resolve({ scheme: "openai_chat", model_id: "local", auth: { kind: "none" } })
      assert.strictEqual(model.contextWindow, 200_000)
      assert.strictEqual(model.apiKey, undefined)
      assert.match(model.notes.join(), /local is not in the catalog: a context window of 200000 tokens/)
      assert.strictEqual((yield* resolve({ ref: "anthropic/claude-next" })).contextWindow, 200_000)
    })
  )

  it.effect("a window above the price step is cut to it, unless the manifest says otherwise", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* resolve({ ref: "openai/gpt-5.4" })).contextWindow, 272_000)
      assert.strictEqual(
        (yield* resolve({ ref: "openai/gpt-5.4", max_context_window: 1_000_000 })).contextWindow,
        1_000_000
      )
    })
  )

  it.effect("without a reference, scheme, model and authentication are asked for in this order", () =>
    Effect.gen(function* () {
      assert.include(yield* refusal({ model_id: "m" }), "pod.toml: `model.scheme` is required")
      assert.include(yield* refusal({ scheme: "anthropic" }), "`model.model_id` is required")
      assert.include(yield* refusal({ scheme: "anthropic", model_id: "m" }), "`model.auth` is required")
      assert.include(yield* refusal({ scheme: "scripted" }), "`model.script` is required")
    })
  )

  it.effect("the embedded models need nothing", () =>
    Effect.gen(function* () {
      const offline = yield* resolve({ scheme: "offline" }, {})
      assert.strictEqual(offline.modelId, "offline")
      assert.strictEqual(offline.apiKey, undefined)
      assert.strictEqual(offline.baseUrl, undefined)
      assert.deepStrictEqual(offline.notes, [])
      const scripted = yield* resolve({ scheme: "scripted", script: "/s.jsonl" }, {})
      assert.strictEqual(scripted.script, "/s.jsonl")
    })
  )

  it.effect("a manifest that names no model takes the environment's", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* resolve(undefined)).scheme, "anthropic")
      assert.strictEqual((yield* resolve({ limits: { max_attempts: 2 } })).limits.max_attempts, 2)
      const offline = yield* resolve(undefined, {})
      assert.strictEqual(offline.scheme, "offline")
      assert.match(offline.notes.join(), /No model key found/)
      // An address alone must not pull a key out of the environment.
      assert.include(yield* refusal({ base_url: "http://127.0.0.1:1" }), "`model.scheme` is required")
    })
  )

  it.effect("each dialect has its vendor's address and its own key", () =>
    Effect.gen(function* () {
      const env = { ...keys, GOOGLE_API_KEY: "google-key" }
      const of = (scheme: "openai_chat" | "openai_responses" | "gemini", more: Environment = {}) =>
        Effect.map(
          resolve({ scheme, model_id: "m", auth: { kind: "api_key" }, context_window: 1 }, { ...env, ...more }),
          (model) => [model.baseUrl, keyOf(model)]
        )
      const openAi = "https://api.openai.com/v1"
      const google = "https://generativelanguage.googleapis.com"
      assert.deepStrictEqual(yield* of("openai_chat"), [openAi, "openai-key"])
      assert.deepStrictEqual(yield* of("openai_responses"), [openAi, "openai-key"])
      assert.deepStrictEqual(yield* of("gemini"), [google, "google-key"])
      assert.deepStrictEqual(yield* of("gemini", { GEMINI_API_KEY: "gemini-key" }), [google, "gemini-key"])
      assert.deepStrictEqual(yield* of("gemini", { GOOGLE_GEMINI_BASE_URL: "http://127.0.0.1:9" }), [
        "http://127.0.0.1:9",
        "google-key"
      ])
      const missing = yield* refusal({ scheme: "gemini", model_id: "m", auth: { kind: "api_key" } })
      assert.include(missing, "the variable GEMINI_API_KEY is not set")
      assert.strictEqual((yield* resolve({ ref: "openai/gpt-5.4" })).scheme, "openai_responses")
      assert.strictEqual(keyOf(yield* resolve({ ref: "gemini/gemini-3.8-flash" }, env)), "google-key")
    })
  )

  it.effect("the vendors' address variables move the vendor's own address only", () =>
    Effect.gen(function* () {
      const env = { ...keys, ANTHROPIC_BASE_URL: "http://127.0.0.1:7", OPENAI_BASE_URL: "http://127.0.0.1:8/v1" }
      const moved = yield* resolve({ ref: "anthropic/claude-sonnet-5-5" }, env)
      assert.strictEqual(moved.baseUrl, "http://127.0.0.1:7")
      assert.match(moved.notes.join(), /address comes from ANTHROPIC_BASE_URL/)
      assert.strictEqual((yield* resolve({ ref: "ollama-local/qwen3-coder" }, env)).baseUrl, "http://localhost:11434")
      assert.strictEqual(
        (yield* resolve({ ref: "openai/gpt-5.4", base_url: "http://127.0.0.1:9/v1" }, env)).baseUrl,
        "http://127.0.0.1:9/v1"
      )
    })
  )

  it.effect("refusals name what there is instead", () =>
    Effect.gen(function* () {
      assert.include(
        yield* refusal({ ref: "antropic/x" }),
        'there is no provider of that name (did you mean "anthropic/…"?)'
      )
      assert.include(yield* refusal({ ref: "zzz/x" }), "known: anthropic, openai, ollama-local, openrouter, gemini")
      for (const auth of [{ kind: "codex_oauth" }, { kind: "secret_ref", ref: "r" }] as const) {
        assert.include(
          yield* refusal({ scheme: "anthropic", model_id: "m", auth }),
          `"${auth.kind}" is not available in this version`
        )
      }
    })
  )

  it.effect("refusals name the line of the key, or of the table in which it is missing", () =>
    Effect.gen(function* () {
      const refusalOf = (model: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          const source = [
            "[pod]",
            'name = "agent"',
            "[[scope.allow]]",
            'target = "/w"',
            'permission = "read"',
            ...model
          ]
          const manifest = yield* parseToml(source.join("\n"), { file: "pod.toml", baseDir: "/w" })
          const options = { env: {}, subject: "pod.toml", source: source.join("\n") }
          return (yield* Effect.flip(resolveModel(manifest.model, options))).message
        }).pipe(Effect.provide(NodeFileSystem.layer))
      const cases = [
        [["[model]", 'ref = "antropic/x"'], "line 7: `model.ref`: there is no provider"],
        [["", "[model]", 'model_id = "m"'], "line 7: `model.scheme` is required"],
        [["[model]", 'ref = "anthropic/x"'], "line 6: `model`: the variable ANTHROPIC_API_KEY is not set"],
        [
          ["[model]", 'ref = "anthropic/x"', "[model.auth]", 'kind = "api_key"', 'env = "MINE"'],
          "line 10: `model.auth.env`: the variable MINE is not set"
        ],
        [
          ["[model]", 'ref = "anthropic/x"', "", 'auth = { kind = "api_key", file = "/nowhere" }'],
          "line 9: `model.auth.file`: /nowhere does not exist"
        ],
        [["[model]", 'ref = "anthropic/x"', "[model.auth]", 'kind = "codex_oauth"'], "line 9: `model.auth.kind`"],
        [["[model]", 'scheme = "scripted"'], "line 6: `model.script` is required"]
      ] as const
      for (const [lines, message] of cases) {
        const said = yield* refusalOf(lines)
        assert.isTrue(said.startsWith(`pod.toml, ${message}`), said)
      }
    })
  )

  it.effect("prices come from the manifest, else from the catalog, else there are none", () =>
    Effect.gen(function* () {
      const known = yield* resolve({ ref: "anthropic/claude-haiku-4-5" })
      assert.deepStrictEqual(known.prices, {
        input: 1,
        output: 5,
        cache_read: 0.1,
        cache_write: 1.25,
        date: "2025-10-15"
      })
      const own = yield* resolve({ ref: "anthropic/claude-haiku-4-5", prices: { input: 2, output: 3 } })
      assert.deepStrictEqual(own.prices, { input: 2, output: 3 })
      assert.isUndefined((yield* resolve({ ref: "anthropic/claude-next" })).prices)
      assert.isUndefined((yield* resolve({ scheme: "scripted", script: "/s.jsonl" })).prices)
    })
  )
})

describe("the key", () => {
  const withFile = (text: string, mode: number) =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = `${yield* files.makeTempDirectoryScoped()}/key`
      yield* files.writeFileString(path, text)
      yield* files.chmod(path, mode)
      return path
    }).pipe(Effect.provide(NodeFileSystem.layer))
  const model = (file: string) => ({ ref: "anthropic/claude-sonnet-5-5", auth: { kind: "api_key", file } as const })

  it.effect("the variable wins over the file, and an empty one counts as unset", () =>
    Effect.gen(function* () {
      const file = yield* withFile("  file-key\n", 0o600)
      assert.strictEqual(keyOf(yield* resolve(model(file))), "anthropic-key")
      const fromFile = yield* resolve(model(file), { ANTHROPIC_API_KEY: "" })
      assert.strictEqual(keyOf(fromFile), "file-key")
      assert.deepStrictEqual(fromFile.notes, [])
    })
  )

  it.effect("a file that others may read is used, with a warning", () =>
    Effect.gen(function* () {
      const resolved = yield* resolve(model(yield* withFile("k", 0o644)), {})
      assert.match(resolved.notes.join(), /others may read it: chmod 600/)
    })
  )

  it.effect("a missing variable is named, a missing or empty file too", () =>
    Effect.gen(function* () {
      assert.include(
        yield* refusal({ ref: "anthropic/claude-sonnet-5-5" }, {}),
        "the variable ANTHROPIC_API_KEY is not set"
      )
      assert.match(
        yield* refusal(model("/nowhere/key"), {}),
        /model\.auth\.file.*\/nowhere\/key does not exist.*ANTHROPIC_API_KEY/
      )
      assert.match(yield* refusal(model(yield* withFile(" \n", 0o600)), {}), /key is empty/)
      assert.match(yield* refusal(model("/dev/zero"), {}), /not a regular file/)
      assert.match(yield* refusal(model(yield* withFile("k".repeat(70_000), 0o600)), {}), /too long to hold a key/)
    })
  )

  it.effect("never shows itself", () =>
    Effect.gen(function* () {
      const resolved = yield* resolve({ ref: "anthropic/claude-sonnet-5-5" })
      assert.notInclude(JSON.stringify(resolved), "anthropic-key")
      assert.notInclude(String(resolved.apiKey), "anthropic-key")
    })
  )
})
