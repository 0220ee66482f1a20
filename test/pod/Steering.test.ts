import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LlmRequest } from "../../src/llm/LlmRequest.ts"
import { fresh, isEvent, isStatus, until } from "../support/podBench.ts"
import { badRequest } from "../support/ProbeModel.ts"

const said = (request: LlmRequest) =>
  request.messages.flatMap((message) => (message.role === "user" || message.role === "system" ? [message.text] : []))

describe("steering", () => {
  it.effect("while the run is paused: the answer names that run, which is the one that takes the input", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      const { run_id } = yield* handle.run("one")
      const first = yield* model.next
      yield* first.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "x" })
      yield* until(take, isEvent("text_delta"))
      yield* handle.pause
      yield* until(take, isStatus("paused"))
      const steer = yield* handle.run("rather this", { delivery: "steer" })
      yield* handle.resume
      const second = yield* model.next
      expect(said(second.request)).toContain("rather this")
      expect(steer.run_id).toBe(run_id)
    }).pipe(Effect.scoped)
  )

  it.effect("for a run that failed first: it becomes the head of the queue, and joins no other run", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      yield* handle.run("one")
      const first = yield* model.next
      yield* handle.run("for the first", { delivery: "steer" })
      yield* first.fail(badRequest)
      yield* until(take, isStatus("idle"))
      yield* handle.run("second")
      const second = yield* model.next
      expect(said(second.request)).not.toContain("for the first")
      yield* second.answer("ok")
      expect(said((yield* model.next).request).at(-1)).toBe("for the first")
    }).pipe(Effect.scoped)
  )
})

describe("notifications", () => {
  it.effect("that a rolled-back run had taken keep their place before later ones", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      yield* handle.notify("first", { wake: false })
      yield* handle.run("one")
      yield* model.next
      yield* handle.notify("second", { wake: false })
      yield* handle.cancel
      yield* until(take, isStatus("idle"))
      yield* handle.run("two")
      const notes = said((yield* model.next).request).flatMap((text) => /^\[Notification\]\n(.*)/.exec(text)?.[1] ?? [])
      expect(notes).toEqual(["first", "second"])
    }).pipe(Effect.scoped)
  )
})
