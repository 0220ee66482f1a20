/** What tests of hooks look at. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Hook } from "../../src/hooks/Hook.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import { fileOf, type open } from "./podBench.ts"

type Bench = Effect.Success<ReturnType<typeof open>>

export const records = (bench: Bench): ReadonlyArray<unknown> =>
  bench.memory
    .segments()
    .flatMap((ref) => fileOf(bench.memory, ref))
    .flatMap((entry) =>
      entry.kind === "extension" && entry.domain === "pod.hook" ? [withoutRun(entry.payload as object)] : []
    )

const withoutRun = (payload: object) => {
  const { leg: _, run_id: __, ...fields } = payload as { readonly run_id: string; readonly leg: number }
  return fields
}

export const bodies = (entries: ReadonlyArray<LogEntry>) =>
  entries.flatMap((entry) => (entry.kind === "system_item" ? [entry.item.body] : []))

/** A hook that says yes to everything and remembers what it was told. */
export const witness = () => {
  const told: Array<readonly [string, unknown]> = []
  const at =
    (point: string) =>
    (input: unknown): Effect.Effect<undefined> =>
      Effect.sync(() => void told.push([point, input]))
  const hook: Hook = {
    name: "witness",
    onPromptSubmit: at("on_prompt_submit"),
    preLlmRequest: at("pre_llm_request"),
    preToolCall: at("pre_tool_call"),
    postToolCall: at("post_tool_call"),
    onTurnEnd: at("on_turn_end"),
    onAbort: at("on_abort")
  }
  return { hook, told, points: () => told.map(([point]) => point) }
}

export const act = { id: "c1", name: "Act", args: { path: "/w/a" } }

/** A hook that never answers an input; `begun` is when it is asked. */
export const silent = Effect.map(Deferred.make<void>(), (asked) => {
  const hangs: Hook = {
    name: "hangs",
    onPromptSubmit: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
  }
  return { begun: Deferred.await(asked), hangs }
})
