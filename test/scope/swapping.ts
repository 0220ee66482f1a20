/** Somebody who swaps directories and files for links in a loop, in a thread of his own. */
import * as Effect from "effect/Effect"
import { Worker } from "node:worker_threads"

/** At work for the length of the Scope; tells how many swaps it has made. */
export const swapper = Effect.fnUntraced(function* (work: string, outside: string) {
  const flag = new SharedArrayBuffer(8)
  const state = new Int32Array(flag)
  yield* Effect.acquireRelease(
    Effect.callback<Worker>((resume) => {
      const worker = new Worker(new URL("swapper.mjs", import.meta.url), { workerData: { flag, outside, work } })
      worker.once("online", () => resume(Effect.succeed(worker)))
    }),
    (worker) =>
      Effect.callback<void>((resume) => {
        worker.once("exit", () => resume(Effect.void))
        Atomics.store(state, 0, 1)
      })
  )
  const swaps = () => Atomics.load(state, 1)
  while (swaps() === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  return swaps
})
