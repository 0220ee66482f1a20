/**
 * What the model of a campaign answers: text in pieces, commands that leave a line behind each time that they run, and
 * now and then a refusal.
 */
import { failure, Gate, type Reply, say, type Step } from "../test/support/VendorServer.ts"
import type { Chance } from "./Chance.ts"

export interface Model {
  readonly answer: () => Reply
  /** From now on: short texts at once, so that everything comes to its end. */
  readonly calm: () => void
}

/** Opens by itself: a pause in a stream. */
const pause = (ms: number): Step => {
  const gate = new Gate()
  setTimeout(() => gate.open(), ms)
  return { gate }
}

const words = ["It ", "goes ", "wéll, ", "说完了, ", "so far 👋. "]

export const make = (chance: Chance): Model => {
  let calls = 0
  let isCalm = false
  const text = (): ReadonlyArray<Step> =>
    Array.from({ length: 1 + chance.below(3) }, () => ({ text: chance.pick(words) })).flatMap((piece) =>
      chance.percent(40) ? [piece, pause(2 + chance.below(40))] : [piece]
    )
  const command = (): Step => {
    const id = `call_${++calls}`
    const rest = chance.pick([
      "",
      "",
      "; sleep 0.05",
      "; sleep 0.3",
      "; sleep 0.2 | cat",
      "; (sleep 0.4 &) ; sleep 0.1"
    ])
    return { tool: "Bash", id, args: { command: `echo ${id} >> effects.txt; echo done${rest}` } }
  }
  return {
    calm: () => {
      isCalm = true
    },
    answer: () => {
      if (isCalm) return say([{ text: "All is well." }])
      switch (chance.weighted({ text: 40, tools: 52, slow: 4, refusal: 4 })) {
        case "text":
          return say(text())
        case "tools":
          return say([...text(), ...Array.from({ length: 1 + chance.below(3) }, command)])
        case "slow":
          return say([{ text: "Well " }, pause(600), { text: "then." }])
        case "refusal":
          return failure(400, "invalid_request_error", "not this one")
      }
    }
  }
}
