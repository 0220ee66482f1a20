import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Manifest from "../../src/manifest/Manifest.ts"
import { formatToml, parseToml } from "../../src/manifest/ManifestToml.ts"
import { manifestKeys } from "../../src/manifest/ManifestReference.ts"
import { everything } from "./everything.ts"

const parse = (text: string) => parseToml(text, { file: "pod.toml", baseDir: "/home/me/project" })
const message = (text: string) => Effect.map(Effect.flip(parse(text)), (error) => error.message)

const least = `[pod]
name = "agent"
[[scope.allow]]
target = "."
permission = "write"
`

describe("a manifest file", () => {
  it.effect("is read with its paths seen from its directory", () =>
    Effect.gen(function* () {
      const manifest = yield* parse(least)
      assert.strictEqual(manifest.pod.name, "agent")
      assert.deepStrictEqual(manifest.scope.allow, [
        { target: "/home/me/project", permission: "write", recursive: true }
      ])
    })
  )

  it.effect("cannot give one name to two hooks", () =>
    Effect.gen(function* () {
      const hook = (name: string) => `[[hooks.command]]\nname = "${name}"\non = ["on_abort"]\ncommand = ["true"]\n`
      const text = yield* message(least + hook("guard") + hook("other") + hook("guard"))
      assert.strictEqual(
        text,
        "pod.toml, line 15: `hooks.command[2].name`: `hooks.command[0]` has this name too (give each a name of its own)"
      )
      yield* parse(least + hook("guard") + hook("Guard"))
    })
  )

  it.effect("may leave its name to others, and others may have the last word", () =>
    Effect.gen(function* () {
      const nameless = least.slice(least.indexOf("[[scope"))
      const read = (text: string, layers: { readonly defaults?: unknown; readonly overrides?: unknown }) =>
        parseToml(text, { file: "pod.toml", baseDir: "/w", ...layers })
      const defaults = { pod: { name: "directory" } }
      assert.strictEqual((yield* read(nameless, { defaults })).pod.name, "directory")
      assert.strictEqual((yield* read(least, { defaults })).pod.name, "agent")
      assert.strictEqual((yield* read(least, { defaults, overrides: { pod: { name: "flag" } } })).pod.name, "flag")
    })
  )

  it.effect("written out and read again is the same manifest", () =>
    Effect.gen(function* () {
      for (const manifest of [yield* parse(least), yield* Manifest.make(everything)]) {
        assert.deepStrictEqual(yield* parse(formatToml(manifest)), manifest)
      }
    })
  )

  it.effect("every problem is told at once, in the order of the file, each with its line", () =>
    Effect.gen(function* () {
      const text = `[pod]
nmae = "x"
[modle]
[worker]
max_turn = 3
max_turns = 0
stop_sequences = ["a", 5]
[[scope.allow]]
target = "/a"
permission = "read"
[[scope.allow]]
target = "/b"
permission = "wrte"
[session]
durability = true
[model]
limits = { idle_timeout = "5 s" }
`
      assert.strictEqual(
        yield* message(text),
        `pod.toml has 9 problems:
  line 1: \`pod.name\` is required: a pod name: 1 to 64 of the characters A-Z a-z 0-9 . _ -, not starting with a dot
  line 2: \`pod.nmae\` is not a key of [pod] (did you mean \`name\`?)
  line 3: \`modle\` is not a table of the manifest (did you mean \`model\`?)
  line 5: \`worker.max_turn\` is not a key of [worker] (did you mean \`max_turns\`?)
  line 6: \`worker.max_turns\`: expected an integer of at least 1, got 0
  line 7: \`worker.stop_sequences[1]\`: expected a string, got 5
  line 13: \`scope.allow[1].permission\`: expected one of "read", "write", got a string (did you mean "write"?)
  line 15: \`session.durability\`: expected one of "fsync", "os", got true
  line 17: \`model.limits.idle_timeout\`: expected a duration such as "90 seconds" (units: millis, seconds, minutes, hours, days), got a string`
      )
    })
  )

  it.effect("a syntax error has line and column", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* message('[pod]\nname = "a"\nname = "b"\n'),
        "pod.toml, line 3, column 11: not valid TOML: cannot redefine existing key 'name'"
      )
      assert.strictEqual(yield* message("[pod\n"), "pod.toml, line 1, column 5: not valid TOML: expected ']'")
      assert.strictEqual(
        yield* message("\n[pod]\nname = agent\n"),
        "pod.toml, line 3, column 13: not valid TOML: invalid value (text needs quotes)"
      )
    })
  )

  it.effect("missing tables and a missing required key", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* message(""),
        "pod.toml has 2 problems:\n" +
          "  the table [pod] is required, with `name`\n" +
          "  the table [scope] is required, with `allow`"
      )
      assert.strictEqual(
        yield* message(`${least}[permissions]\n`),
        'pod.toml, line 6: `permissions.default_action` is required: one of "allow", "deny", "ask"'
      )
    })
  )

  it.effect("a key in the wrong table is shown the right one", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* message(`max_turns = 3\n${least}[model]\nreasoning = "high"\n`),
        "pod.toml has 2 problems:\n" +
          "  line 1: `max_turns` is not a table of the manifest (did you mean `worker.max_turns`?)\n" +
          "  line 8: `model.reasoning` is not a key of [model] (did you mean `worker.reasoning`?)"
      )
      assert.include(yield* message(`${least}[session]\nzzz = 1\n`), "known: durability, on_interrupted")
    })
  )

  it.effect("authentication: its kind is checked first, then the keys of that kind", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* message(`${least}[model.auth]\nkind = "apikey"\n`),
        'pod.toml, line 7: `model.auth.kind`: expected one of "none", "api_key", "codex_oauth", "secret_ref",' +
          ' got a string (did you mean "api_key"?)'
      )
      assert.include(yield* message(`${least}[model.auth]\nenv = "X"\n`), "`model.auth.kind`: expected one of")
      assert.strictEqual(
        yield* message(`${least}[model.auth]\nkind = "none"\nenv = "X"\n`),
        'pod.toml, line 8: `model.auth.env` does not go with kind = "none"'
      )
    })
  )

  it.effect("an old spelling is found where it stands", () =>
    Effect.gen(function* () {
      assert.include(
        yield* message(`${least}[compaction]\n\ncompact_threshold = "x"\n`),
        "pod.toml, line 8: `compaction.threshold`: expected an integer of at least 1, got a string"
      )
    })
  )

  it.effect("no value is repeated, wherever somebody has pasted a key", () =>
    Effect.gen(function* () {
      const secret = "sk-ant-oat-0123456789"
      const texts = [
        `api_key = ${secret}`,
        `[pod]\nname = "${secret}!"`,
        `${least}[model]\napi_key = "${secret}"`,
        `${least}[model]\nscheme = "${secret}"\nref = "${secret}"\nbase_url = "${secret}"\nauth = "${secret}"`,
        `${least}[model]\nauth = { kind = "${secret}" }\ncontext_window = "${secret}"`,
        `${least}[model.limits]\nidle_timeout = "${secret}"`,
        `${least}[worker]\ninstruction = "${secret}"\nmax_turns = ["${secret}"]`
      ]
      for (const text of texts) assert.notInclude(yield* message(text), secret)
      assert.include(yield* message(texts[2]!), "set a variable and name it with")
    })
  )
})

describe("did you mean", () => {
  const keys = manifestKeys()
    .filter(({ key }) => /^[a-z_]+\.[a-z_]+$/.test(key))
    .map(({ key }) => key)

  it.effect.prop(
    "one wrong letter in a long key is always understood",
    [
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
    ],
    ([which, where]) =>
      Effect.gen(function* () {
        const long = keys.filter((key) => key.split(".")[1]!.length > 6)
        const [table, name] = long[which % long.length]!.split(".") as [string, string]
        const at = where % name.length
        const wrong = `${name.slice(0, at)}#${name.slice(at + 1)}`
        const error = yield* Effect.flip(Manifest.fromUnknown({ [table]: { [wrong]: 1 } }))
        const problem = error.problems.find(({ key }) => key.startsWith(`${table}.`))
        assert.strictEqual(problem?.hint, `did you mean \`${name}\`?`)
      })
  )
})
