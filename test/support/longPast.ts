/** A pod with a past of several mebibytes behind its own first line. */
import * as Effect from "effect/Effect"
import { encodeLine } from "../../src/protocol/Wire.ts"
import { fresh, open } from "./podBench.ts"
import { say } from "./talk.ts"

/** Long enough for several pieces, with everything in it that a text may have. */
export const words = Array.from(
  { length: 150 },
  (_, i) => `${i} "wörd" \\ 👋\n${"x".repeat(i * 30)}${"é".repeat(2_000)}`
)

const line = (text: string) => encodeLine({ kind: "user_input", ts: 1, segments: [{ kind: "text", content: text }] })

/** As another program may have written it: half of a character, which strict readers refuse. */
const half = line("half #").replace("#", "\\ud83d")

/** A fork of a pod that has said "one", then all the words, then the half character. */
export const forked = Effect.gen(function* () {
  const bench = yield* fresh()
  yield* say(bench, "one")
  bench.memory.write(bench.ref, new TextEncoder().encode(words.map(line).join("") + half))
  const source = yield* open(bench.memory)
  yield* source.handle.fork("copy")
  return yield* open(bench.memory, { name: "copy" })
})

/** What that fork has as its past. */
export const past = [
  { kind: "message", role: "user", content: [{ kind: "text", text: "one" }] },
  { kind: "message", role: "assistant", content: [{ kind: "text", text: "answer to one" }] },
  ...[...words, "half \ufffd"].map((text) => ({ kind: "message", role: "user", content: [{ kind: "text", text }] }))
]
