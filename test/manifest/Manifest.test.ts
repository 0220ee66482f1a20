import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Manifest from "../../src/manifest/Manifest.ts"
import { mergeManifests } from "../../src/manifest/Merge.ts"
import { requestConfig } from "../../src/manifest/tables/Worker.ts"
import { everything } from "./everything.ts"

const least: Manifest.ManifestInput = {
  pod: { name: "agent" },
  scope: { allow: [{ target: "/w", permission: "write" }] }
}

const problems = (input: unknown, baseDir?: string) =>
  Effect.map(Effect.flip(Manifest.fromUnknown(input, baseDir === undefined ? {} : { baseDir })), (error) =>
    error.problems.map(({ hint, message }) => (hint === undefined ? message : `${message} (${hint})`))
  )

describe("Manifest", () => {
  it.effect("a name and a scope are enough; the rest has its documented default", () =>
    Effect.gen(function* () {
      const manifest = yield* Manifest.make(least)
      assert.deepStrictEqual(manifest.scope, {
        allow: [{ target: "/w", permission: "write", recursive: true }],
        deny: []
      })
      assert.strictEqual(manifest.worker.instruction, "$builtin/default")
      assert.strictEqual(manifest.worker.tool_output.default_max_bytes, 65_536)
      assert.strictEqual(manifest.worker.file_upload.max_bytes, 262_144)
      assert.strictEqual(manifest.worker.max_turns, undefined)
      assert.strictEqual(manifest.session.durability, "fsync")
      assert.strictEqual(manifest.session.on_interrupted, "idle")
      assert.strictEqual(manifest.sandbox.mode, "auto")
      assert.deepStrictEqual(manifest.model.limits, {})
      for (const table of ["permissions", "compaction", "web", "memory", "skills"] as const) {
        assert.strictEqual(manifest[table], undefined, table)
      }
      assert.deepStrictEqual(requestConfig(manifest.worker), {
        max_tokens: null,
        temperature: null,
        top_p: null,
        top_k: null,
        stop_sequences: [],
        reasoning: null
      })
    })
  )

  it.effect("every key of the contract is accepted and comes back as it was written", () =>
    Effect.gen(function* () {
      const manifest = yield* Manifest.make(everything)
      assert.strictEqual(Duration.toMillis(manifest.model.limits.idle_timeout ?? 0), 1500)
      assert.strictEqual(Duration.toMillis(manifest.permissions!.ask_timeout), 60_000)
      const input = Manifest.toInput(manifest)
      assert.deepStrictEqual(input.model, everything.model)
      assert.deepStrictEqual(input.worker, everything.worker)
      assert.deepStrictEqual(input.spawn, everything.spawn)
      assert.deepStrictEqual(yield* Manifest.make(input), manifest)
    })
  )

  it.effect("null and undefined are keys that are not there", () =>
    Effect.gen(function* () {
      const manifest = yield* Manifest.fromUnknown({
        pod: { name: "agent", prompt_pack: null },
        model: { scheme: null, auth: undefined },
        worker: { stop_sequences: null, tool_output: { default_max_bytes: null, per_tool: {} } },
        scope: { allow: [{ target: "/w", permission: "write", recursive: null }], deny: null },
        session: null,
        permissions: null
      })
      assert.deepStrictEqual(manifest, yield* Manifest.make(least))
    })
  )

  it.effect("paths are absolute afterwards, seen from the given directory", () =>
    Effect.gen(function* () {
      const manifest = yield* Manifest.make(
        {
          pod: { name: "agent", prompt_pack: "p.toml" },
          model: { script: "./s.jsonl", auth: { kind: "api_key", file: "../key" } },
          scope: {
            allow: [{ target: ".", permission: "write" }],
            deny: [{ target: "a//b/../c/", permission: "read" }]
          },
          compaction: { model: { auth: { kind: "api_key", file: "k" } } },
          memory: {
            workspace_root: "m",
            extract_model: { auth: { kind: "api_key", file: "k1" } },
            consolidation_model: { script: "k2" }
          },
          skills: { directories: ["s", "/abs"] }
        },
        { baseDir: "/home/me/project" }
      )
      assert.strictEqual(manifest.pod.prompt_pack, "/home/me/project/p.toml")
      assert.strictEqual(manifest.model.script, "/home/me/project/s.jsonl")
      assert.deepStrictEqual(manifest.model.auth, { kind: "api_key", file: "/home/me/key" })
      assert.deepStrictEqual(
        [manifest.scope.allow[0]?.target, manifest.scope.deny[0]?.target],
        ["/home/me/project", "/home/me/project/a/c"]
      )
      assert.deepStrictEqual(manifest.compaction?.model?.auth, { kind: "api_key", file: "/home/me/project/k" })
      assert.deepStrictEqual(manifest.memory?.extract_model?.auth, { kind: "api_key", file: "/home/me/project/k1" })
      assert.strictEqual(manifest.memory?.consolidation_model?.script, "/home/me/project/k2")
      assert.deepStrictEqual(manifest.skills?.directories, ["/home/me/project/s", "/abs"])
    })
  )

  it.effect("the program of a hook is a path if there is a slash in it, and else a name for PATH", () =>
    Effect.gen(function* () {
      const hook = (command: ReadonlyArray<string>, name = "h") => ({ name, on: ["on_abort"] as const, command })
      const hooks = { command: [hook(["./guard", "./x"]), hook(["guard"], "i"), hook(["/opt/guard"], "j")] }
      const manifest = yield* Manifest.make({ ...least, hooks }, { baseDir: "/home/me/project" })
      assert.deepStrictEqual(
        manifest.hooks?.command.map(({ command }) => command),
        [["/home/me/project/guard", "./x"], ["guard"], ["/opt/guard"]]
      )
      assert.deepStrictEqual(yield* problems({ ...least, hooks: { command: [hook(["./guard"]), hook([])] } }), [
        "`hooks.command[1].command`: expected an array that begins with a program, got an empty array",
        "`hooks.command[0].command[0]` is a relative path; expected an absolute one"
      ])
    })
  )

  it.effect("a host that may be fetched from is a host, and nothing more", () =>
    Effect.gen(function* () {
      const asking = (host: string) => ({ ...least, web: { enabled: true, fetch: { allow_hosts: [host] } } })
      const base = { baseDir: "/home/me/project" }
      for (const host of [
        "effect.website",
        "Bücher.test",
        "docs.test.",
        "127.1",
        "::1",
        "[::1]",
        "localhost",
        "a_b.test"
      ]) {
        yield* Manifest.make(asking(host), base)
      }
      for (const host of [
        "https://x.test",
        "x.test:80",
        "x.test/",
        "*.x.test",
        ".x.test",
        "a..b",
        "",
        " ",
        "u@x.test",
        "x.test?y",
        "999.0.0.1"
      ]) {
        assert.deepStrictEqual(yield* problems(asking(host)), [
          `\`web.fetch.allow_hosts[0]\`: expected a host such as "effect.website", without scheme, port, path and wildcard, got ${host === "" ? "an empty string" : "a string"}`
        ])
      }
    })
  )

  it.effect("a relative path that starts nowhere is refused, and so is ~", () =>
    Effect.gen(function* () {
      const found = yield* problems({
        pod: { name: "agent", prompt_pack: "/a\0b" },
        scope: {
          allow: [
            { target: "src", permission: "read" },
            { target: "~/x", permission: "read" }
          ]
        }
      })
      assert.deepStrictEqual(found, [
        "`pod.prompt_pack` has a NUL character in it; expected a path",
        "`scope.allow[0].target` is a relative path; expected an absolute one",
        "`scope.allow[1].target` starts with ~, which is not expanded; write the whole path"
      ])
    })
  )

  it.effect("what is not a manifest at all is said to be none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problems("agent"), ["expected a table, got a string"])
      assert.deepStrictEqual(yield* problems([]), ["expected a table, got an empty array"])
      assert.deepStrictEqual(yield* problems({ ...least, model: 5, scope: { allow: {} } }), [
        "`model`: expected a table, got 5",
        "`scope.allow`: expected at least one [[scope.allow]], got a table"
      ])
    })
  )

  it.effect("old spellings work, removed keys do not, and both spellings are one too many", () =>
    Effect.gen(function* () {
      const manifest = yield* Manifest.fromUnknown({
        ...least,
        compaction: { compact_threshold: 7, compact_worker_max_input_tokens: 8, compact_auto_read_budget: 9 }
      })
      assert.strictEqual(manifest.compaction?.threshold, 7)
      assert.strictEqual(manifest.compaction?.worker_context_max_tokens, 8)
      assert.strictEqual(manifest.compaction?.auto_read_budget_tokens, 9)
      const found = yield* problems({
        ...least,
        compaction: { compact_threshold: 7, threshold: 7, prune_protected_turns: 3 },
        memory: { extract_worker_max_input_tokens: 1 }
      })
      assert.deepStrictEqual(found, [
        "`compaction.compact_threshold` is the old spelling of `compaction.threshold`, which is there too; keep one of them",
        "`compaction.prune_protected_turns` was removed (use `prune_protected_tokens`)",
        "`memory.extract_worker_max_input_tokens` was removed (it has no successor)"
      ])
    })
  )
})

describe("merging", () => {
  it("upper values win, rules are joined lower first, other arrays are replaced", () => {
    const lower = {
      worker: { max_turns: 1, stop_sequences: ["a"], tool_output: { per_tool: { A: 1, B: 2 } } },
      scope: { allow: [{ target: "/1" }], deny: [{ target: "/d1" }] },
      permissions: { default_action: "allow", rule: [{ tool: "A" }] },
      skills: { directories: ["/s1"] },
      web: { enabled: true }
    }
    const upper = {
      worker: { max_tokens: 5, stop_sequences: ["b"], tool_output: { per_tool: { B: 3 } } },
      scope: { allow: [{ target: "/2" }] },
      permissions: { rule: [{ tool: "B" }] },
      skills: { directories: ["/s2"] },
      web: null
    }
    assert.deepStrictEqual(mergeManifests(lower, upper), {
      worker: { max_turns: 1, max_tokens: 5, stop_sequences: ["b"], tool_output: { per_tool: { A: 1, B: 3 } } },
      scope: { allow: [{ target: "/1" }, { target: "/2" }], deny: [{ target: "/d1" }] },
      permissions: { default_action: "allow", rule: [{ tool: "A" }, { tool: "B" }] },
      skills: { directories: ["/s1", "/s2"] },
      web: { enabled: true }
    })
  })

  it("two kinds of authentication are not mixed", () => {
    const lower = { model: { auth: { kind: "api_key", file: "/k" } } }
    assert.deepStrictEqual(mergeManifests(lower, { model: { auth: { kind: "none" } } }), {
      model: { auth: { kind: "none" } }
    })
    assert.deepStrictEqual(mergeManifests(lower, { model: { auth: { kind: "api_key", env: "E" } } }), {
      model: { auth: { kind: "api_key", file: "/k", env: "E" } }
    })
  })
})
