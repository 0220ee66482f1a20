import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { makePlace, type Place, run } from "../support/cli.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const configure = (name: string, lines: ReadonlyArray<string>): string => {
  const directory = join(place.home, "config")
  mkdirSync(directory, { recursive: true })
  const path = join(directory, name)
  writeFileSync(path, lines.join("\n"))
  return path
}

interface Survey {
  readonly default: { readonly model: string; readonly notes: ReadonlyArray<string> }
  readonly providers: ReadonlyArray<{ readonly id: string; readonly state: string; readonly [key: string]: unknown }>
  readonly models: ReadonlyArray<{ readonly ref: string; readonly [key: string]: unknown }>
}

const survey = async (env: Readonly<Record<string, string>> = {}): Promise<Survey> => {
  const { code, stderr, stdout } = await run(place, ["models", "--json"], { env })
  assert.deepStrictEqual([code, stderr], [0, ""])
  return JSON.parse(stdout)
}

describe("models", () => {
  it("lists what there is, what is configured and what the default is, and never shows a key", async () => {
    const env = { OPENAI_API_KEY: "sk-very-secret" }
    const { code, stdout } = await run(place, ["models"], { env })
    assert.strictEqual(code, 0)
    assert.match(stdout, /^anthropic +anthropic +ANTHROPIC_API_KEY is not set +the vendor's +bundled$/m)
    assert.match(stdout, /^openai +openai_responses +OPENAI_API_KEY is set /m)
    assert.match(stdout, /^ollama +openai_chat +no key needed +http:\/\/127\.0\.0\.1:11434\/v1 +bundled$/m)
    assert.match(stdout, /^anthropic\/claude-haiku-4-5 +200000 +1 +5 +0\.1 +1\.25 +2025-10-15 +bundled$/m)
    assert.match(stdout, /^openai\/gpt-5\.4 .* bundled, the default$/m)
    assert.match(stdout, /^default: openai\/gpt-5\.4$/m)
    const { models, providers } = await survey(env)
    assert.notInclude(JSON.stringify({ models, providers, stdout }), "secret")
    assert.deepInclude(
      providers.find(({ id }) => id === "openai"),
      { env: "OPENAI_API_KEY", env_set: true, state: "ready", from: "bundled" }
    )
    assert.strictEqual(providers.find(({ id }) => id === "anthropic")?.state, "no_key")
    assert.deepStrictEqual(
      models.filter((model) => model["default"]).map(({ ref }) => ref),
      ["openai/gpt-5.4"]
    )
  })

  it("says that the default is the offline model when there is no key", async () => {
    const { default: chosen, models } = await survey()
    assert.strictEqual(chosen.model, "offline")
    assert.match(chosen.notes.join(), /No model key found/)
    assert.isFalse(models.some((model) => model["default"]))
  })

  it("shows what the user's files have added and changed", async () => {
    configure("providers.toml", [
      "[[provider]]",
      'id = "team"',
      'scheme = "openai_chat"',
      'base_url = "https://name:password@models.example.com/v1"',
      'auth_hint = { kind = "api_key" }'
    ])
    configure("models.toml", [
      "[[model]]",
      'provider = "team"',
      'id = "large"',
      "context_window = 64_000",
      "prices = { input = 2, output = 8 }",
      "[[model]]",
      'provider = "anthropic"',
      'id = "claude-haiku-4-5"',
      "max_context_window = 50_000"
    ])
    const { models, providers } = await survey({ OPENAI_API_KEY: "k" })
    assert.deepInclude(
      providers.find(({ id }) => id === "team"),
      { from: "user", base_url: "https://…@models.example.com/v1", env: "OPENAI_API_KEY", state: "ready" }
    )
    assert.deepInclude(
      models.find(({ ref }) => ref === "team/large"),
      { from: "user", context_window: 64_000, prices: { currency: "USD", input: 2, output: 8 } }
    )
    assert.deepInclude(
      models.find(({ ref }) => ref === "anthropic/claude-haiku-4-5"),
      { from: "bundled, changed by user", context_window: 200_000, max_context_window: 50_000 }
    )
    const { stdout } = await run(place, ["models"])
    assert.match(stdout, /^anthropic\/claude-haiku-4-5 +50000 +1 +5 .* bundled, changed by user$/m)
  })

  it("refuses a broken file with its line and key, as a pod does that needs it; one that does not starts", async () => {
    const file = configure("models.toml", ["[[model]]", 'provider = "openai"', 'id = "x"', "context_windw = 5"])
    const where = `${file}, line 4: \`model[0].context_windw\` is not a key of [model[0]] (did you mean \`context_window\`?)`
    const listed = await run(place, ["models"])
    assert.strictEqual(listed.code, 1)
    assert.include(listed.stderr, where)
    const refused = await run(place, ["run", "hello"], { env: { ANTHROPIC_API_KEY: "k" } })
    assert.strictEqual(refused.code, 1)
    assert.include(refused.stderr, where)
    const doctor = await run(place, ["doctor"], { env: { ANTHROPIC_API_KEY: "k" } })
    assert.include(doctor.stdout, where)
    assert.strictEqual((await run(place, ["run", "hello"])).code, 0)
  })

  it("are examined by doctor, the fallbacks too", async () => {
    configure("providers.toml", [
      "[[provider]]",
      'id = "team"',
      'scheme = "gemini"',
      'auth_hint = { kind = "api_key" }'
    ])
    writeFileSync(
      join(place.home, "fallback.toml"),
      [
        "[pod]",
        'name = "agent"',
        "[model]",
        'scheme = "offline"',
        'fallback = ["team/large", "openai/gpt-5.4", "nobody/x"]',
        "[[scope.allow]]",
        'target = "."',
        'permission = "write"',
        "[worker]",
        "[budget.run]",
        "cost_usd = 1"
      ].join("\n")
    )
    const { code, stdout } = await run(place, ["doctor", "--json", "--manifest", join(place.home, "fallback.toml")], {
      env: { GEMINI_API_KEY: "k" }
    })
    assert.strictEqual(code, 1)
    const { findings } = JSON.parse(stdout) as {
      findings: ReadonlyArray<{ check: string; level: string }>
    }
    assert.deepStrictEqual(
      findings.filter(({ check }) => check.startsWith("model.fallback")).map(({ check, level }) => [check, level]),
      [
        ["model.fallback[0]", "ok"],
        ["model.fallback[0]", "fail"],
        ["model.fallback[0]", "warn"],
        ["model.fallback[1]", "fail"],
        ["model.fallback[2]", "fail"]
      ]
    )
  })

  it("takes no arguments and knows its flags", async () => {
    const extra = await run(place, ["models", "openai"])
    assert.deepStrictEqual([extra.code, extra.stdout], [2, ""])
    assert.include(extra.stderr, 'unexpected argument "openai"')
    const flag = await run(place, ["models", "--jsn"])
    assert.strictEqual(flag.code, 2)
    assert.include(flag.stderr, "did you mean --json?")
    assert.include((await run(place, ["help"])).stdout, "the catalog of models and what is configured")
  })
})
