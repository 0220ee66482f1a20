import * as Effect from "effect/Effect"
import * as FakePod from "./fakePod.ts"
import { connect, connectNative, serve } from "./support.ts"
const now = () => performance.now()
const lap = (name: string, t: number) => console.log(name, (now() - t).toFixed(1), "ms")
await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  let t = now()
  const { path, pod, server } = yield* serve({})
  lap("listen", t); t = now()
  for (let round = 0; round < 4; round++) {
    t = now()
    yield* Effect.scoped(Effect.gen(function*() {
      const clients = yield* Effect.forEach(Array.from({ length: 200 }), () => connect(path), { concurrency: 50 })
      lap("connect 200", t); t = now()
      yield* Effect.forEach(clients, (c) => c.line, { concurrency: "unbounded" })
      lap("snapshots 200", t); t = now()
    }))
    while (server.connections.list().length > 0) yield* Effect.yieldNow
    lap("closed", t)
  }
  const c = yield* connectNative(path)
  for (let round = 0; round < 5; round++) {
    t = now()
    yield* Effect.forkChild(Effect.forEach(Array.from({ length: 2000 }), (_, i) => pod.emit(FakePod.delta("some words of an answer " + i)), { discard: true }))
    for (let i = 0; i < 2000; i++) yield* c.line
    lap("2000 deltas", t)
  }
  t = now()
  for (let i = 0; i < 500; i++) { yield* c.send({ method: "list_completions", id: "x" + i, params: { kind: "file", prefix: "" } }); yield* c.line }
  lap("500 round trips", t)
})))
