import { readFileSync } from "node:fs"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Toml from "effect/encoding/Toml"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import { bundled, findModel, findProvider } from "../../src/manifest/Catalog.ts"
import * as Bundle from "../../src/manifest/CatalogBundle.ts"
import { readCatalog } from "../../src/manifest/CatalogFiles.ts"
import { parseCatalog } from "../../src/manifest/CatalogToml.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import { resolveModel } from "../../src/manifest/Model.ts"

const bundledText = (name: string) =>
  readFileSync(new URL(`../../src/manifest/catalog/${name}`, import.meta.url), "utf8")
/** What the parser makes has no prototype; JSON has the same values as everything else. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const inFile = (file: string) => (text: string) => ({ file, text })
const providersFile = inFile("providers.toml")
const modelsFile = inFile("models.toml")

const parse = (files: { readonly providers?: string; readonly models?: string }) =>
  parseCatalog(
    files.providers === undefined ? undefined : providersFile(files.providers),
    files.models === undefined ? undefined : modelsFile(files.models)
  )

const refusal = (files: Parameters<typeof parse>[0]) => Effect.map(Effect.flip(parse(files)), ({ message }) => message)

describe("the catalog that comes with the program", () => {
  it("is what its TOML says", () => {
    const parsed = (name: string) => plain(Result.getOrThrow(Toml.parse(bundledText(name))))
    const remedy = "node scripts/catalog.mjs makes it anew"
    assert.deepStrictEqual({ provider: Bundle.providers }, parsed("providers.toml") as never, remedy)
    assert.deepStrictEqual({ model: Bundle.models }, parsed("models.toml") as never, remedy)
  })

  it.effect("keeps the rules that a user's files are held to", () =>
    Effect.gen(function* () {
      const catalog = yield* parse({ providers: bundledText("providers.toml"), models: bundledText("models.toml") })
      assert.strictEqual(catalog.providers.length, bundled.providers.length)
      assert.strictEqual(catalog.models.length, bundled.models.length)
    })
  )

  it("dates every price, and knows the window of every model", () => {
    assert.deepStrictEqual(
      bundled.models.filter(({ prices }) => prices !== undefined && prices.date === undefined),
      []
    )
    assert.deepStrictEqual(
      bundled.models.filter(({ contextWindow }) => contextWindow === undefined),
      []
    )
  })

  it("asks for no key on this machine", () => {
    for (const id of ["ollama", "llama.cpp", "vllm", "lmstudio"]) {
      const provider = findProvider(bundled, id)
      assert.deepInclude(provider, { scheme: "openai_chat", auth: { kind: "none" } })
      assert.match(provider?.baseUrl ?? "", /^http:\/\/127\.0\.0\.1:\d+\/v1$/)
    }
  })
})

describe("a user's catalog", () => {
  it.effect("is read as the documentation shows it", () =>
    Effect.gen(function* () {
      const text = readFileSync(new URL("../../docs/manifest.md", import.meta.url), "utf8")
      const [providers, models] = Array.from(text.matchAll(/^```toml catalog\n(.*?)^```$/gms), ([, block]) => block)
      const catalog = yield* parse({ providers: providers!, models: models! })
      assert.deepInclude(findProvider(catalog, "team"), { name: "The team's gateway", contextWindow: 128_000 })
      assert.deepInclude(findModel(catalog, "team", "large"), { contextWindow: 256_000, maxContextWindow: 200_000 })
    })
  )

  it.effect("changes one thing of an entry and leaves the rest as it was", () =>
    Effect.gen(function* () {
      const catalog = yield* parse({
        providers: '[[provider]]\nid = "anthropic"\nbase_url = "https://gateway.example"',
        models: '[[model]]\nprovider = "anthropic"\nid = "claude-haiku-4-5"\nmax_context_window = 50_000'
      })
      const before = findProvider(bundled, "anthropic")
      assert.deepStrictEqual(findProvider(catalog, "anthropic"), {
        ...before!,
        baseUrl: "https://gateway.example",
        origin: "bundled, changed by user"
      })
      assert.deepStrictEqual(findModel(catalog, "anthropic", "claude-haiku-4-5"), {
        ...findModel(bundled, "anthropic", "claude-haiku-4-5")!,
        maxContextWindow: 50_000,
        origin: "bundled, changed by user"
      })
      assert.strictEqual(catalog.models.length, bundled.models.length)
      assert.deepStrictEqual(findProvider(catalog, "openai"), findProvider(bundled, "openai"))
    })
  )

  it.effect("merges tables key by key, but never mixes two price lists", () =>
    Effect.gen(function* () {
      const catalog = yield* parse({
        providers: '[[provider]]\nid = "anthropic"\ndefault_capability = { vision = false }',
        models:
          '[[model]]\nprovider = "anthropic"\nid = "claude-haiku-4-5"\nprices = { input = 0.5, output = 2.5, date = 2026-11-01 }'
      })
      assert.deepStrictEqual(findProvider(catalog, "anthropic")?.capability, {
        reasoning: "effort",
        vision: false,
        prompt_caching: { kind: "explicit", max_breakpoints: 4 }
      })
      assert.deepStrictEqual(findModel(catalog, "anthropic", "claude-haiku-4-5")?.prices, {
        input: 0.5,
        output: 2.5,
        date: "2026-11-01"
      })
    })
  )

  it.effect("adds providers and models of its own", () =>
    Effect.gen(function* () {
      const catalog = yield* parse({
        providers:
          '[[provider]]\nid = "team"\nscheme = "openai_chat"\nbase_url = "http://10.0.0.7/v1"\nauth_hint = { kind = "api_key", env = "TEAM_KEY" }',
        models: '[[model]]\nprovider = "team"\nid = "big/one"\ncontext_window = 64_000'
      })
      assert.deepInclude(findProvider(catalog, "team"), { name: "team", origin: "user", contextWindow: undefined })
      assert.deepInclude(findModel(catalog, "team", "big/one"), { contextWindow: 64_000, origin: "user" })
    })
  )

  it.effect("is refused with file, line and key, all problems at once, and no value shown", () =>
    Effect.gen(function* () {
      const message = yield* refusal({
        providers: [
          "[[provider]]",
          'id = "anthropic"',
          'shceme = "anthropic"',
          "[[provider]]",
          'id = "openai"',
          'auth_hint = { kind = "api_key", api_key = "sk-secret" }'
        ].join("\n")
      })
      assert.match(message, /^providers\.toml has 2 problems:/)
      assert.include(message, "line 3: `provider[0].shceme` is not a key of [provider[0]] (did you mean `scheme`?)")
      assert.match(message, /line 6: .*a key is never written into a catalog/)
      assert.notInclude(message, "sk-secret")
      const one = [
        [{ models: "[[model" }, /^models\.toml, line 1, column \d+: not valid TOML/],
        [
          { models: "[models]" },
          /^models\.toml, line 1: `models` is not a table of the catalog \(did you mean `model`/
        ],
        [
          { models: '[[model]]\nid = "x"\nprovider = "antropic"' },
          /^models\.toml, line 3: `model\[0\]\.provider`: there is no provider of that name \(did you mean "anthropic"\?\)$/
        ],
        [
          { models: '[[model]]\nid = "x"\nprovider = "openai"\nprices = { input = -1, output = 1 }' },
          /^models\.toml, line 4: `model\[0\]\.prices\.input`: expected a price of at least 0, got -1$/
        ],
        [
          { models: '[[model]]\nid = "x"\nprovider = "openai"\nprices = { input = 1 }' },
          /^models\.toml, line 4: `model\[0\]\.prices\.output` is required/
        ],
        [
          { providers: '[[provider]]\nid = "new"\nscheme = "gemini"' },
          /line 1: `provider\[0\]\.auth_hint` is required/
        ],
        [
          { providers: '[[provider]]\nid = "openai"\n[[provider]]\nid = "openai"' },
          /line 4: `provider\[1\]\.id`: provider\[0\] has this id already/
        ]
      ] as const
      for (const [files, expected] of one) assert.match(yield* refusal(files), expected)
    })
  )
})

describe("the files of a catalog", () => {
  const withFiles = (files: Readonly<Record<string, string>>) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      for (const [name, text] of Object.entries(files)) yield* fs.writeFileString(`${directory}/${name}`, text)
      return directory
    })
  const broken = { "providers.toml": "nonsense" }
  const resolve = (model: Manifest.ManifestInput["model"], configDir: string, env = {}) =>
    Effect.gen(function* () {
      const scope = { allow: [{ target: "/w", permission: "read" as const }] }
      const manifest = yield* Manifest.make({ pod: { name: "a" }, scope, ...(model === undefined ? {} : { model }) })
      return yield* resolveModel(manifest.model, { env, configDir })
    })

  it.effect("are looked for in the configuration directory, and need not be there", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* readCatalog("/nowhere/at/all"), bundled)
      const configDir = yield* withFiles({
        "models.toml": '[[model]]\nprovider = "ollama"\nid = "mine"\ncontext_window = 9000'
      })
      const model = yield* resolve({ ref: "ollama/mine" }, configDir)
      assert.deepInclude(model, { contextWindow: 9000, baseUrl: "http://127.0.0.1:11434/v1", notes: [] })
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )

  it.effect("stop whoever names a model by reference when they are broken, and nobody else", () =>
    Effect.gen(function* () {
      const configDir = yield* withFiles(broken)
      const asked = [resolve({ ref: "ollama/m" }, configDir), resolve(undefined, configDir, { ANTHROPIC_API_KEY: "k" })]
      for (const one of asked) {
        assert.include((yield* Effect.flip(one)).message, `${configDir}/providers.toml, line 1`)
      }
      const inline = { scheme: "openai_chat", model_id: "m", auth: { kind: "none" } } as const
      assert.strictEqual((yield* resolve(inline, configDir)).modelId, "m")
      assert.strictEqual((yield* resolve(undefined, configDir)).scheme, "offline")
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )

  it.effect("are refused when they are no text files", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const configDir = yield* withFiles({})
      yield* fs.makeDirectory(`${configDir}/models.toml`)
      assert.match((yield* Effect.flip(readCatalog(configDir))).message, /models\.toml is not a regular file/)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )
})
