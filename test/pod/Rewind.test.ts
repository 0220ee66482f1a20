import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { counting } from "../support/benchTools.ts"
import { faultyDisk } from "../support/faultyDisk.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, rest, until } from "../support/podBench.ts"
import { back, entriesOf, inputs, say, target } from "../support/talk.ts"
import { badRequest } from "../support/ProbeModel.ts"
import { plain, restarted } from "../support/sessionState.ts"
import { interruptNote } from "../../src/knowledge/Wrappers.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"

type Bench = Effect.Success<ReturnType<typeof open>>

describe("rewind", () => {
  it.effect("lists every input, newest first, with what would be left", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      expect(yield* bench.handle.rewindTargets).toEqual({ head_entries: 0, targets: [] })
      yield* say(bench, "one")
      yield* say(bench, "two")
      const entries = yield* entriesOf(bench.handle)
      const { head_entries, targets } = yield* bench.handle.rewindTargets
      expect(head_entries).toBe(entries.length)
      expect(
        targets.map(({ eligible, preview, turn_index, warning }) => [preview, turn_index, eligible, warning])
      ).toEqual([
        ["two", 2, true, undefined],
        ["one", 1, true, undefined]
      ])
      for (const { expected_head_entries, id, truncate_entries } of targets) {
        expect(expected_head_entries).toBe(head_entries)
        expect(entries[id.user_input_entry_index]?.kind).toBe("user_input")
        expect(entries[truncate_entries]?.kind).toBe("invoke")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("takes log, context and numbers back, and gives back what was said", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      const before = yield* entriesOf(bench.handle)
      const state = yield* plain(bench.journal.state)
      yield* say(bench, "two")
      yield* say(bench, "three")
      const head = (yield* entriesOf(bench.handle)).length
      const { take } = yield* bench.handle.attach
      const summary = yield* back(bench.handle, "two")
      expect(summary).toMatchObject({
        truncated_to_entries: before.length,
        discarded_entries: head - before.length,
        tool_side_effect_warning: false
      })
      expect(yield* entriesOf(bench.handle)).toEqual(before)
      expect((yield* plain(bench.journal.state)).history).toEqual(state.history)
      expect(bench.journal.state.turnCount).toBe(state.turnCount)
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.map(({ event }) => event)).toEqual(["rewind_applied", "status"])
      expect(seen[0]).toMatchObject({ durable: true, data: { input: [{ kind: "text", content: "two" }] } })
      const request = yield* say(bench, "other two")
      expect(request.messages.map((message) => ("text" in message ? message.text : message.role))).toEqual([
        "one",
        "assistant",
        "other two"
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("removes nothing from the file, and a restart finds the same", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      const lines = bench.memory.lines(bench.ref)
      yield* back(bench.handle, "one")
      expect(bench.memory.lines(bench.ref).slice(0, lines.length)).toEqual(lines)
      expect(names(fileOf(bench.memory, bench.ref)).slice(lines.length)).toEqual(["pod.mark rewind"])
      yield* say(bench, "again")
      const live = yield* plain(bench.journal.state)
      const found = yield* Effect.flatMap(SessionStore, (store) => store.open(bench.ref)).pipe(
        Effect.flatMap(restarted),
        Effect.provide(bench.memory.layer)
      )
      expect(found.state).toEqual(live)
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["again"])
    }).pipe(Effect.scoped)
  )

  it.effect("warns where tools have run since", () =>
    Effect.gen(function* () {
      const { tool } = counting("Act")
      const bench = yield* fresh({ tools: [tool] })
      yield* say(bench, "one")
      const { take } = yield* bench.handle.attach
      yield* bench.handle.run("act")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools({ id: "c", name: "Act", args: {} }))
      yield* Effect.flatMap(bench.model.next, (call) => call.answer("done"))
      yield* until(take, isStatus("idle"))
      yield* say(bench, "three")
      const { targets } = yield* bench.handle.rewindTargets
      expect(targets.map(({ preview, warning }) => [preview, warning?.includes("side effects") ?? false])).toEqual([
        ["three", false],
        ["act", true],
        ["one", true]
      ])
      expect(yield* back(bench.handle, "act")).toMatchObject({ tool_side_effect_warning: true })
    }).pipe(Effect.scoped)
  )

  it.effect("is refused for a head that has moved, an entry that is no input, and a segment that is not ours", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      const { head_entries, targets } = yield* bench.handle.rewindTargets
      const [known] = targets
      if (known === undefined) throw new Error("no target")
      yield* say(bench, "two")
      const now = (yield* entriesOf(bench.handle)).length
      const stale = yield* Effect.flip(bench.handle.rewindTo(known.id, head_entries))
      expect([stale.code, stale.message]).toEqual(["conflict", expect.stringContaining("session head changed")])
      const noInput = yield* Effect.flip(bench.handle.rewindTo({ ...known.id, user_input_entry_index: 0 }, now))
      expect(noInput.code).toBe("not_found")
      const foreign = yield* Effect.flip(
        bench.handle.rewindTo({ ...known.id, segment_id: "0197a1c2-0000-7000-8000-00000000000f" }, now)
      )
      expect(foreign.code).toBe("not_found")
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["one", "two"])
    }).pipe(Effect.scoped)
  )

  it.effect("does not offer an input that was sent into a turn", () =>
    Effect.gen(function* () {
      const bench = yield* fresh({ tools: [counting("Act").tool] })
      yield* bench.handle.run("one")
      const call = yield* bench.model.next
      yield* bench.handle.run("steer", { delivery: "steer" })
      yield* call.callTools({ id: "c", name: "Act", args: {} })
      yield* Effect.flatMap(bench.model.next, (next) => next.answer("done"))
      yield* until(bench.take, isEvent("run_end"))
      const { targets } = yield* bench.handle.rewindTargets
      expect(targets.map(({ eligible, preview }) => [preview, eligible])).toEqual([
        ["steer", false],
        ["one", true]
      ])
      expect((yield* Effect.flip(back(bench.handle, "steer"))).code).toBe("invalid_request")
    }).pipe(Effect.scoped)
  )

  it.effect("leaves the inbox alone: what waits is still there, and waits for a person", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* bench.handle.notify("note", { wake: false })
      yield* back(bench.handle, "one")
      expect((yield* bench.handle.inbox).map(({ preview }) => preview)).toEqual(["note"])
      const request = yield* say(bench, "two")
      expect(JSON.stringify(request.messages).split("note")).toHaveLength(2)
    }).pipe(Effect.scoped)
  )
})

/** A run that has failed, a queued one behind it that waits for a person, and a rewind to before both. */
const rewoundQueue = Effect.fnUntraced(function* (bench: Bench) {
  const { take } = yield* bench.handle.attach
  yield* bench.handle.run("fails")
  const call = yield* bench.model.next
  yield* bench.handle.run("queued", { delivery: "queue" })
  yield* call.fail(badRequest)
  yield* until(take, isStatus("idle"))
  yield* back(bench.handle, "two")
})

/** After it, whatever may flow by itself has begun. */
const selfStartedTurn = Effect.fnUntraced(function* ({ handle, model }: Bench) {
  const { take } = yield* handle.attach
  yield* handle.notify("by the way")
  yield* Effect.flatMap(model.next, (call) => call.answer("noted"))
  yield* until(take, isStatus("idle"))
  yield* rest
})

describe("what waits while the session is taken back", () => {
  it.effect("is held, although what had held it is hidden: no queued run starts by itself", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      yield* rewoundQueue(bench)
      const again = yield* open(bench.memory)
      for (const pod of [bench, again]) {
        expect(yield* pod.handle.waitingOn).toMatchObject({ kind: "inbox_held" })
        expect(pod.model.open()).toBe(0)
      }
      yield* selfStartedTurn(again)
      expect(again.model.open()).toBe(0)
      expect((yield* again.handle.inbox).map(({ preview }) => preview)).toEqual(["queued"])
    }).pipe(Effect.scoped)
  )

  it.effect("is held too where the session goes on in another segment", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      yield* bench.handle.fork("copy")
      const copy = yield* open(bench.memory, { name: "copy" })
      yield* rewoundQueue(copy)
      expect(copy.journal.files()).toHaveLength(2)
      const again = yield* open(bench.memory, { name: "copy" })
      for (const pod of [copy, again]) expect(yield* pod.handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      yield* selfStartedTurn(again)
      expect(again.model.open()).toBe(0)
      expect((yield* again.handle.inbox).map(({ preview }) => preview)).toEqual(["queued"])
    }).pipe(Effect.scoped)
  )
})

describe("a rewind within a segment", () => {
  it.effect("reads no more of the file than what was said there, and is what a restart reads from all of it", () =>
    Effect.gen(function* () {
      let read = 0
      const bench = yield* fresh({
        tools: [counting("Act").tool],
        wrap: (file) => ({
          ...file,
          read: (from, to) => {
            read += to - from
            return file.read(from, to)
          }
        })
      })
      for (const text of ["one", "two", "three", "four"]) yield* say(bench, text)
      yield* bench.handle.run("five")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools({ id: "c1", name: "Act", args: {} }))
      yield* Effect.flatMap(bench.model.next, (call) => call.fail(badRequest))
      yield* until(bench.take, isStatus("idle"))
      for (const text of ["five", "three", "one"]) {
        const { targets } = yield* bench.handle.rewindTargets
        const line = fileOf(bench.memory, bench.ref).find(
          (entry) => entry.kind === "user_input" && JSON.stringify(entry.segments).includes(text)
        )
        read = 0
        yield* back(bench.handle, text)
        expect(read).toBe(JSON.stringify(line).length + 1)
        const restart = yield* Effect.flatMap(SessionStore, (store) =>
          Effect.flatMap(store.open(bench.ref), restarted)
        ).pipe(Effect.provide(bench.memory.layer))
        expect(restart.state).toEqual(yield* plain(bench.journal.state))
        const left = targets.slice(targets.findIndex(({ preview }) => preview === text) + 1)
        const head = restart.index.entries
        const listed = restart.points.list(head)
        expect(listed).toEqual((yield* bench.handle.rewindTargets).targets)
        expect(listed.map(({ id }) => id)).toEqual(left.map(({ id }) => id))
      }
    }).pipe(Effect.scoped)
  )
})

describe("a rewind to the input behind a run that was cut", () => {
  it.effect("keeps the note that says so, and the next run writes no second one", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* bench.handle.run("one")
      const call = yield* bench.model.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "half" })
      yield* call.fail(badRequest)
      yield* until(bench.take, isStatus("idle"))
      yield* say(bench, "two")
      yield* back(bench.handle, "two")
      // Also when it is done twice, and when a restart lies between.
      yield* say(bench, "three")
      yield* back(bench.handle, "three")
      const again = yield* open(bench.memory)
      const { messages } = yield* say(again, "four")
      expect(JSON.stringify(messages).split(JSON.stringify(interruptNote("failure")).slice(1, -1))).toHaveLength(2)
      const notes = (yield* entriesOf(again.handle)).filter(({ kind }) => kind === "system_item")
      expect(notes).toHaveLength(1)
    }).pipe(Effect.scoped)
  )
})

describe("a run that was rolled back", () => {
  it.effect("is no place to go back to, and its number is given again, in the live pod and after a restart", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* bench.handle.run("undone")
      yield* bench.model.next
      const { take } = yield* bench.handle.attach
      yield* bench.handle.cancel
      yield* until(take, isEvent("run_end"))
      const listed = (handle: Bench["handle"]) =>
        Effect.map(handle.rewindTargets, ({ targets }) => targets.map((each) => [each.preview, each.turn_index]))
      expect(yield* listed(bench.handle)).toEqual([["one", 1]])
      yield* say(bench, "two")
      const live = [
        ["two", 2],
        ["one", 1]
      ]
      expect(yield* listed(bench.handle)).toEqual(live)
      expect(yield* listed((yield* open(bench.memory)).handle)).toEqual(live)
    }).pipe(Effect.scoped)
  )
})

/** Two runs, and the store has not taken how the second ended. */
const owing = Effect.gen(function* () {
  const disk = faultyDisk()
  const bench = yield* fresh({ wrap: disk.wrap })
  yield* say(bench, "one")
  yield* bench.handle.run("two")
  const call = yield* bench.model.next
  disk.set("full")
  yield* call.answer("lost")
  yield* until(bench.take, (event) => event.event === "run_end" && event.data.result === "failed")
  return { ...bench, disk }
})

describe("a rewind while the end of a run is owed", () => {
  it.effect("counts that end too", () =>
    Effect.gen(function* () {
      const { disk, handle } = yield* owing
      disk.set("fine")
      const { head, id } = yield* target(handle, "two")
      expect((yield* entriesOf(handle)).at(-1)?.kind).toBe("run_errored")
      const summary = yield* handle.rewindTo(id, head)
      expect(summary.truncated_to_entries + summary.discarded_entries).toBe(head)
    }).pipe(Effect.scoped)
  )

  it.effect("finds that the head has moved since it was listed without that end", () =>
    Effect.gen(function* () {
      const { disk, handle } = yield* owing
      const { head, id } = yield* target(handle, "two")
      expect((yield* Effect.flip(handle.rewindTo(id, head))).code).toBe("storage_error")
      disk.set("fine")
      expect((yield* Effect.flip(handle.rewindTo(id, head))).code).toBe("conflict")
      const now = yield* target(handle, "two")
      expect(yield* handle.rewindTo(now.id, now.head)).toMatchObject({
        discarded_entries: now.head - id.user_input_entry_index + 1
      })
      expect(inputs(yield* entriesOf(handle))).toEqual(["one"])
    }).pipe(Effect.scoped)
  )
})

describe("a rewind that the store refuses", () => {
  it.effect("has not happened, and can be tried again", () =>
    Effect.gen(function* () {
      const disk = faultyDisk()
      const bench = yield* fresh({ wrap: disk.wrap })
      yield* say(bench, "one")
      yield* say(bench, "two")
      const state = yield* plain(bench.journal.state)
      disk.set("full")
      expect((yield* Effect.flip(back(bench.handle, "two"))).code).toBe("storage_error")
      expect(yield* plain(bench.journal.state)).toEqual(state)
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["one", "two"])
      disk.set("fine")
      yield* back(bench.handle, "two")
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["one"])
    }).pipe(Effect.scoped)
  )
})
