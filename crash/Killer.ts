/** When a life ends: at an answer, at an event, or at some moment. */
import type { NativeLine } from "../test/support/e2eClient.ts"
import type { Chance } from "./Chance.ts"

export interface Killer {
  /** To be told of every line, as it is read. */
  readonly see: (line: NativeLine) => void
  /** Starts the clock of a life that ends at a moment of its own, or, if nothing of the kind is seen, a little later. */
  readonly begin: () => void
  readonly done: Promise<void>
}

const events = [
  "user_message",
  "run_start",
  "llm_call_start",
  "text_delta",
  "tool_call_done",
  "assistant_item",
  "tool_started",
  "tool_output",
  "tool_result",
  "inbox_changed",
  "run_end",
  "status"
] as const satisfies ReadonlyArray<NativeLine["event"]>

/** The longest life, in milliseconds. */
const longest = 1_500

/** `kill` is called once. */
export const make = (chance: Chance, kill: () => void): Killer => {
  const how = chance.weighted({ answer: 35, event: 35, moment: 30 })
  const name = chance.pick(events)
  let left = how === "answer" ? 2 + chance.below(14) : 1 + chance.below(12)
  const limit = how === "moment" ? chance.below(1_000) : longest
  let finish: (() => void) | undefined
  const done = new Promise<void>((resolve) => {
    finish = resolve
  })
  let over = false
  let timer: NodeJS.Timeout | undefined
  const now = () => {
    if (over) return
    over = true
    clearTimeout(timer)
    kill()
    finish?.()
  }
  return {
    see: (line) => {
      const counts = how === "answer" ? line.event === "reply" : how === "event" && line.event === name
      if (counts && --left === 0) now()
    },
    begin: () => {
      if (!over) timer = setTimeout(now, limit)
    },
    done
  }
}
