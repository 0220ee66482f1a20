/** What a pod keeps of the manifest that it was last given, over starts that name another one or none. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Scripted from "../../layers/llm/Scripted.ts"
import * as PodTest from "../../layers/PodTest.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import * as Pod from "../../src/pod/Pod.ts"
import * as Workspace from "../support/workspace.ts"
const manifestFor = (cwd: string, name = "tester", extra?: Partial<Manifest.ManifestInput>) =>
  Workspace.manifestFor(cwd, name, extra)

describe("a pod that is started again", () => {
  it.effect("a start that names no manifest is no way around the permissions of the one that did", () =>
    Effect.gen(function* () {
      const store = MemoryStore.make()
      const cwd = yield* Workspace.withNotes
      const denying = manifestFor(cwd, "tester", { permissions: { default_action: "deny" } })
      const start = (input: ReturnType<typeof manifestFor>, named: boolean) =>
        Effect.scoped(
          Effect.gen(function* () {
            const pod = yield* Pod.make(yield* input, { cwd, named: { manifest: named } })
            yield* pod.runToEnd("go")
            const requests = yield* (yield* Scripted.Script).requests
            return { notes: pod.greeting.notes ?? [], last: JSON.stringify(requests.at(-1)?.messages.at(-1)) }
          })
        ).pipe(
          Effect.provide(
            PodTest.layer(
              [{ steps: [{ tool: "Glob", id: "c1", args: { pattern: "*" } }] }, { steps: [{ text: "ok" }] }],
              store
            )
          )
        )
      expect((yield* start(denying, true)).last).toContain("deny this call")
      const again = yield* start(manifestFor(cwd), false)
      expect(again.last).toContain("deny this call")
      expect(again.notes.join("\n")).toContain("permissions")
      // Named on purpose, they may be lifted.
      expect((yield* start(manifestFor(cwd), true)).last).toContain("notes.md")
      expect((yield* start(manifestFor(cwd), false)).last).toContain("notes.md")
    }).pipe(Effect.scoped, Effect.provide(PodTest.world()))
  )

  it.effect("a start that names no manifest has the budget of the one that did, and its own if that is smaller", () =>
    Effect.gen(function* () {
      const store = MemoryStore.make()
      const cwd = yield* Workspace.withNotes
      const start = (budget: Manifest.ManifestInput["budget"], named: boolean) =>
        Effect.scoped(
          Effect.gen(function* () {
            const manifest = yield* manifestFor(cwd, "tester", budget === undefined ? {} : { budget })
            const pod = yield* Pod.make(manifest, { cwd, named: { manifest: named } })
            return { ...(yield* pod.runToEnd("go")), notes: pod.greeting.notes?.join("\n") ?? "" }
          })
        ).pipe(Effect.provide(PodTest.layer([{ steps: [{ text: "ok" }] }], store)))
      expect(yield* start({ session: { turns: 2 } }, true)).toMatchObject({ result: "finished" })
      const smaller = yield* start({ session: { turns: 1 } }, false)
      expect(smaller).toMatchObject({ limit: "budget.session.turns" })
      expect(smaller.notes).toContain("the budget that this pod was last given still holds")
      expect(yield* start({ session: { turns: 9 } }, false)).toMatchObject({ result: "finished" })
      expect(yield* start(undefined, false)).toMatchObject({ limit: "budget.session.turns" })
      // Named on purpose, it may be lifted.
      expect(yield* start(undefined, true)).toMatchObject({ result: "finished" })
      expect(yield* start(undefined, false)).toMatchObject({ result: "finished" })
    }).pipe(Effect.scoped, Effect.provide(PodTest.world()))
  )

  it.effect("the same name goes on with its session, its prompt and its place; a named manifest can only narrow", () =>
    Effect.gen(function* () {
      const store = MemoryStore.make()
      const cwd = yield* Workspace.withNotes
      const other = yield* Workspace.withNotes
      const start = (input: ReturnType<typeof manifestFor>, options?: Pod.PodOptions) =>
        Effect.scoped(
          Effect.gen(function* () {
            const pod = yield* Pod.make(yield* input, options)
            yield* pod.runToEnd("go")
            return {
              greeting: pod.greeting,
              sessionId: pod.sessionId,
              requests: yield* (yield* Scripted.Script).requests
            }
          })
        ).pipe(Effect.provide(PodTest.layer([{ steps: [{ text: "ok" }] }], store)))
      const first = yield* start(manifestFor(cwd), { cwd })
      const second = yield* start(manifestFor(other), { cwd: other })
      expect(second.sessionId).toBe(first.sessionId)
      expect(second.greeting.cwd).toBe(cwd)
      expect(second.greeting.notes?.join("\n")).toContain(cwd)
      expect(second.requests[0]?.system).toBe(first.requests[0]?.system)
      expect(second.requests[0]?.messages).toHaveLength(3)
      const narrow = Manifest.make({
        pod: { name: "tester" },
        scope: {
          allow: [
            { target: cwd, permission: "read" },
            { target: other, permission: "write" }
          ]
        }
      })
      const third = yield* start(narrow, { cwd, named: { manifest: true } })
      expect(third.greeting.scope_summary).toBe(`Readable:\n  - ${cwd}\nWritable:`)
      expect(third.greeting.notes).toContain(`the manifest narrows the scope of this pod to: read ${cwd}`)
      // It is recorded: what was given up once does not come back by itself.
      const fourth = yield* start(manifestFor(cwd), { cwd })
      expect(fourth.greeting.scope_summary).toBe(third.greeting.scope_summary)
    }).pipe(Effect.scoped, Effect.provide(PodTest.world()))
  )
})
