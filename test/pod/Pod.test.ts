import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as NFS from "node:fs"
import * as Scripted from "../../layers/llm/Scripted.ts"
import * as PodTest from "../../layers/PodTest.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import * as Pod from "../../src/pod/Pod.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { isEvent, isStatus, until } from "../support/podBench.ts"
import * as Workspace from "../support/workspace.ts"

const manifestFor = (cwd: string, name = "tester", extra?: Partial<Manifest.ManifestInput>) =>
  Workspace.manifestFor(cwd, name, extra)

const scriptWithPaths = Scripted.layer([
  {
    steps: [
      { tool: "Bash", id: "c1", args: { command: "cat notes.md; printf made > new.txt" } },
      { tool: "Read", id: "c2", args: { file_path: "/etc/passwd" } }
    ]
  },
  { steps: [{ text: "ok" }] }
])

describe("Pod.make", () => {
  it.effect("a pod inside a program: one call, one answer, nothing left when its Scope closes", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      const scope = yield* Scope.make()
      const pod = yield* Scope.provide(Pod.make(yield* manifestFor(cwd)), scope)
      const end = yield* pod.runToEnd("hello")
      expect(end).toMatchObject({ result: "finished", usage: { llm_calls: 1 } })
      const script = yield* Scripted.Script
      const [request] = yield* script.requests
      expect(request?.system).toContain(cwd)
      expect(request?.system).toContain("Always be brief.")
      expect(request?.tools.map((tool) => tool.name)).toEqual([
        "Bash",
        "BashOutput",
        "Edit",
        "Glob",
        "Grep",
        "KillShell",
        "Read",
        "TaskCreate",
        "TaskGet",
        "TaskList",
        "TaskUpdate",
        "Write"
      ])
      yield* Scope.close(scope, Exit.void)
      expect((yield* Effect.flip(pod.run("too late"))).code).toBe("not_running")
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([{ steps: [{ text: "hi" }] }])))
  )

  it.effect("file references of the input are attached in its scope; what cannot be had is an alert", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      const pod = yield* Pod.make(yield* manifestFor(cwd))
      const { take } = yield* pod.attach
      yield* pod.run([
        { kind: "text", content: "see " },
        { kind: "file_ref", path: "notes.md" },
        { kind: "paste", id: 1, chars: 5, lines: 1, content: " and " },
        { kind: "file_ref", path: "/etc/passwd" }
      ])
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.flatMap((event) => (event.event === "system_item" ? [event.data.item] : []))).toEqual([
        { kind: "file_attachment", path: "notes.md", body: "[File: notes.md]\nalpha\n" }
      ])
      expect(seen.find(isEvent("alert"))).toMatchObject({
        data: { level: "warn", source: "pod", message: expect.stringContaining("file ref @/etc/passwd") }
      })
      const [request] = yield* (yield* Scripted.Script).requests
      expect(request?.messages).toEqual([
        { role: "user", text: "see @notes.md and @/etc/passwd" },
        { role: "system", text: "[File: notes.md]\nalpha\n" }
      ])
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([{ steps: [{ text: "ok" }] }])))
  )

  it.effect("real tools work on real files in the scope, and refuse what lies outside", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      const pod = yield* Pod.make(yield* manifestFor(cwd))
      yield* pod.runToEnd("go")
      const requests = yield* (yield* Scripted.Script).requests
      const results = requests[1]?.messages.find((message) => message.role === "tool")
      const texts = results?.role === "tool" ? results.results.map(({ text }) => text) : []
      expect(texts[0]).toContain("alpha")
      expect(texts[1]).toContain("outside of what may be read")
      expect(yield* (yield* FileSystem.FileSystem).readFileString(`${cwd}/new.txt`)).toBe("made")
      expect(yield* pod.completions("file", "n")).toEqual([
        { value: "new.txt", is_dir: false },
        { value: "notes.md", is_dir: false }
      ])
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(PodTest.world(), scriptWithPaths)))
  )

  it.effect("minutes of back-off pass in no time under TestClock, and the waits are told", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      const pod = yield* Pod.make(yield* manifestFor(cwd))
      const { take } = yield* pod.attach
      const fiber = yield* Effect.forkChild(pod.runToEnd("patience"))
      const waits = yield* until(take, isEvent("llm_retry"))
      expect(waits.find(isEvent("llm_retry"))).toMatchObject({ data: { wait_ms: 120_000, status: 429 } })
      expect(yield* pod.waitingOn).toMatchObject({ kind: "retry" })
      yield* TestClock.adjust("2 minutes")
      const end = yield* until(take, isEvent("run_end"))
      expect(end.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
      expect(fiber.pollUnsafe()).toBeDefined()
    }).pipe(
      Effect.scoped,
      Effect.provide(
        PodTest.layer([
          { steps: [{ fail: { status: 429, retry_after: "2 minutes" } }] },
          { steps: [{ text: "at last" }] }
        ])
      )
    )
  )

  it.effect("permissions of the manifest are kept: a denied call is answered and not run", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      const pod = yield* Pod.make(
        yield* manifestFor(cwd, "careful", {
          permissions: { default_action: "allow", rule: [{ tool: "Bash", pattern: "*", action: "deny" }] }
        })
      )
      yield* pod.runToEnd("go")
      const requests = yield* (yield* Scripted.Script).requests
      expect(JSON.stringify(requests[1]?.messages)).toContain("deny")
      expect(yield* (yield* FileSystem.FileSystem).exists(`${cwd}/ran`)).toBe(false)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        PodTest.layer([
          { steps: [{ tool: "Bash", id: "c1", args: { command: "touch ran" } }] },
          { steps: [{ text: "ok" }] }
        ])
      )
    )
  )

  it.effect("a budget in dollars for a model without prices is refused", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      const manifest = yield* manifestFor(cwd, "tester", { budget: { session: { cost_usd: 1 } } })
      const refused = yield* Effect.flip(Effect.scoped(Pod.make(manifest)))
      expect(refused.message).toMatch(/`budget\.session\.cost_usd`: the prices of the model are not known/)
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect(
    "the greeting tells the scope as it is enforced, links resolved and denies with it; so does the prompt",
    () =>
      Effect.gen(function* () {
        const cwd = yield* Workspace.withNotes
        NFS.mkdirSync(`${cwd}/real`)
        NFS.symlinkSync("real", `${cwd}/alias`)
        const manifest = yield* manifestFor(cwd, "tester", {
          scope: {
            allow: [{ target: cwd, permission: "write" }],
            deny: [
              { target: `${cwd}/alias`, permission: "read" },
              { target: `${cwd}/later`, permission: "write", recursive: false }
            ]
          }
        })
        const { greeting, runToEnd } = yield* Pod.make(manifest, { cwd })
        const rule = (target: string, permission: string, recursive = true) => ({ target, permission, recursive })
        expect(greeting.scope?.allow[0]).toEqual(rule(cwd, "write"))
        expect(greeting.scope?.deny).toEqual([
          rule(`${cwd}/alias`, "read"),
          rule(`${cwd}/later`, "write", false),
          rule(`${cwd}/real`, "read")
        ])
        yield* runToEnd("go")
        const [request] = yield* (yield* Scripted.Script).requests
        expect(request?.system).toContain(`Denied, neither read nor written:\n  - ${cwd}/alias`)
        expect(request?.system).toContain(`Denied writing:\n  - ${cwd}/later [non-recursive]`)
      }).pipe(Effect.scoped, Effect.provide(PodTest.layer([{ steps: [{ text: "ok" }] }])))
  )

  it.effect("an image that a tool returned is in every later request, and in those after a restart", () =>
    Effect.gen(function* () {
      const store = MemoryStore.make()
      const cwd = yield* Workspace.withNotes
      NFS.writeFileSync(`${cwd}/a.png`, new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))
      const shown = (calls: ReadonlyArray<Scripted.ScriptCall>) =>
        Effect.scoped(
          Effect.gen(function* () {
            const pod = yield* Pod.make(yield* manifestFor(cwd), { cwd })
            yield* pod.runToEnd("go")
            const requests = yield* (yield* Scripted.Script).requests
            return requests.map(({ messages }) =>
              messages.flatMap((said) => (said.role === "tool" ? said.results.flatMap(({ media = [] }) => media) : []))
            )
          })
        ).pipe(Effect.provide(Layer.merge(PodTest.world(store), Scripted.layer(calls, { vision: true }))))
      const image = [{ type: "image/png", data: "iVBORw0KGgo=", name: "a.png" }]
      const look = { steps: [{ tool: "Read", id: "c1", args: { file_path: `${cwd}/a.png` } }] }
      expect(yield* shown([look, { steps: [{ text: "seen" }] }])).toEqual([[], image])
      expect(yield* shown([{ steps: [{ text: "still there" }] }])).toEqual([image])
    }).pipe(Effect.scoped, Effect.provide(PodTest.world()))
  )

  it.effect("what a start found changed in the store is said to every client", () =>
    Effect.gen(function* () {
      const store = MemoryStore.make()
      const cwd = yield* Workspace.withNotes
      const start = Effect.scoped(
        Effect.gen(function* () {
          const pod = yield* Pod.make(yield* manifestFor(cwd, "tester", { sandbox: { mode: "off" } }))
          yield* pod.runToEnd("go")
          // That this world has no sandbox is said each time.
          return (pod.greeting.notes ?? []).filter((note) => !note.includes("not fenced"))
        })
      ).pipe(Effect.provide(PodTest.layer([{ steps: [{ text: "ok" }] }], store)))
      expect(yield* start).toEqual([])
      store.write(store.segments()[0]!, new TextEncoder().encode('{"kind":'))
      expect(yield* start).toEqual(["a write of 8 bytes that was cut at the end of the journal was put aside"])
      expect(yield* start, "what was cut once is whole").toEqual([])
      const active = { session_id: "s", segment_id: "lost" }
      yield* Effect.provide(
        Effect.flatMap(PodStore, (pods) => pods.update("tester", { active })),
        store.layer
      )
      expect(yield* start).toEqual(["the journal that this pod's metadata name is gone; it begins a new one"])
      expect(yield* start, "what began is there").toEqual([])
    }).pipe(Effect.scoped, Effect.provide(PodTest.world()))
  )

  it.effect("two live pods of one name are refused, and so are two that write the same place", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      yield* Pod.make(yield* manifestFor(cwd, "one"))
      const same = yield* Effect.flip(Pod.make(yield* manifestFor(cwd, "one")))
      expect(same).toMatchObject({ _tag: "LeaseError", reason: "PodHeld" })
      const overlapping = yield* Effect.flip(Pod.make(yield* manifestFor(cwd, "two")))
      expect(overlapping).toMatchObject({ _tag: "LeaseError", reason: "ScopeOverlap" })
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("own tools stand beside the built-in ones, and events can be followed as a stream", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      const called = yield* Deferred.make<string>()
      const shout = Tool.make({
        name: "Shout",
        description: "says it loudly",
        parameters: Schema.Struct({ text: Schema.String }),
        idempotent: true,
        run: ({ text }) => Effect.as(Deferred.succeed(called, text), { summary: text.toUpperCase() })
      })
      const pod = yield* Pod.make(yield* manifestFor(cwd), { tools: [shout] })
      const results = yield* pod.events.pipe(
        Stream.filter(isEvent("tool_result")),
        Stream.take(1),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      yield* pod.runToEnd("go")
      expect(yield* Deferred.await(called)).toBe("hey")
      expect(results.pollUnsafe()).toBeDefined()
    }).pipe(
      Effect.scoped,
      Effect.provide(
        PodTest.layer([{ steps: [{ tool: "Shout", id: "c1", args: { text: "hey" } }] }, { steps: [{ text: "ok" }] }])
      )
    )
  )

  it.effect("a tool with the name of a built-in one is refused by name, and nothing is left of the start", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      const read = Tool.make({ name: "Read", description: "mine", run: () => Effect.succeed("mine") })
      const opening = Effect.scoped(Effect.asVoid(Pod.make(yield* manifestFor(cwd), { tools: [read] })))
      expect(yield* Effect.flip(opening)).toMatchObject({
        _tag: "ToolDefinitionError",
        reason: "NameTaken",
        tool: "Read"
      })
      const pod = yield* Pod.make(yield* manifestFor(cwd), { tools: [{ ...read, replaces: true }] })
      expect(pod.greeting.tools.filter((name) => name === "Read")).toHaveLength(1)
      yield* pod.runToEnd("go")
      const { entries } = yield* pod.readEntries(0, 100)
      expect(entries.find((text) => text.includes('"tool_result"'))).toContain('"summary":"mine"')
    }).pipe(
      Effect.scoped,
      Effect.provide(PodTest.layer([{ steps: [{ tool: "Read", args: {} }] }, { steps: [{ text: "ok" }] }]))
    )
  )

  it.effect("two hooks of one name are refused, those of the manifest included", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.directory
      const guard = { name: "guard" }
      const manifest = yield* manifestFor(cwd)
      const command = yield* Manifest.make({
        ...Manifest.toInput(manifest),
        hooks: { command: [{ name: "guard", on: ["on_abort"], command: ["true"] }] }
      })
      const cases = [
        [manifest, [guard, guard], "two of the given hooks have this name"],
        [command, [guard], "a command of the manifest has this name"]
      ] as const
      for (const [given, hooks, problem] of cases) {
        const opening = Effect.scoped(Effect.asVoid(Pod.make(given, { hooks })))
        const error = yield* Effect.flip(opening)
        expect(error).toMatchObject({ _tag: "HookDefinitionError", reason: "NameTaken", hook: "guard" })
        expect(error.message).toBe(`hook "guard": ${problem} (give each one of its own)`)
      }
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("interrupting a wait for the end cancels the run", () =>
    Effect.gen(function* () {
      const cwd = yield* Workspace.withNotes
      const pod = yield* Pod.make(yield* manifestFor(cwd))
      const { take } = yield* pod.attach
      const fiber = yield* Effect.forkChild(pod.runToEnd("go"))
      yield* until(take, isEvent("text_delta"))
      fiber.interruptUnsafe()
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "cancelled" } })
    }).pipe(
      Effect.scoped,
      Effect.provide(PodTest.layer([{ steps: [{ text: "begun" }, { wait: "1 hour" }, { text: "never" }] }]))
    )
  )
})
