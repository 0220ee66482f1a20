/**
 * Plays commands against a pod and against the model of one, and compares the two after each.
 *
 * After a crash the model may be in one of several states; it is in each of them until what is seen tells which.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Digest from "effect/crypto/Digest"
import { pickOf } from "./Editing.ts"
import { createHash } from "node:crypto"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Answer } from "../../src/pod/PodHandle.ts"
import type { Envelope } from "../../src/protocol/Event.ts"
import type { Method } from "../../src/protocol/Method.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import * as Tool from "../../src/tools/Tool.ts"
import * as Mortal from "../support/mortalStore.ts"
import { open } from "../support/podBench.ts"
import { badRequest, type ProbeCall } from "../support/ProbeModel.ts"
import { plain, restarted } from "../support/sessionState.ts"
import { simulate } from "../support/World.ts"
import type { Case, Command, Policy } from "./Command.ts"
import { ask, type Bench, look } from "./Look.ts"
import { match, type Names } from "./Match.ts"
import { seen, targets } from "./Seen.ts"
import { fresh, type Pod } from "./State.ts"
import { shutdown, start, step, type Way } from "./Step.ts"
import { wrong, type Watched } from "./Watch.ts"

/** A state that the model may be in, and the names that go with it. */
interface Guess {
  readonly pod: Pod
  readonly names: Names
}

/** One process: a pod that was opened, and all that belongs to it. */
interface Process {
  readonly bench: Bench
  readonly store: Mortal.MortalStore
  readonly scope: Scope.Closeable
  readonly watched: Watched
  readonly call: () => ProbeCall | undefined
  readonly endTool: Effect.Effect<void>
}

class Differs extends Schema.TaggedError<Differs>()("Differs", { message: Schema.String }) {}

const differ = (what: string, details: ReadonlyArray<string>): Effect.Effect<never, Differs> =>
  Effect.fail(new Differs({ message: [what, ...new Set(details)].join("\n  ") }))

/** In the test's own time: the platform's takes its own. */
const digest = Layer.succeed(Digest.Digest, {
  digest: (_, data) => Effect.sync(() => createHash("sha256").update(data).digest()),
  digestHex: (_, data) => Effect.sync(() => createHash("sha256").update(data).digest("hex"))
})

/** Longer than the slowest write takes, shorter than anything that a pod waits for. */
const settled = Effect.sleep(20)

const boot = Effect.fnUntraced(function* (memory: MemoryStore.MemoryStore, policy: Policy, name: string) {
  const scope = yield* Scope.make()
  const store = Mortal.make(memory)
  let gate = Deferred.makeUnsafe<void>()
  const tool = (title: string, run: Effect.Effect<void>) =>
    Tool.make({
      name: title,
      description: title,
      parameters: Schema.Struct({}),
      idempotent: false,
      run: () => Effect.as(run, { summary: "rested" })
    })
  const slow = Effect.suspend(() => {
    gate = Deferred.makeUnsafe()
    return Deferred.await(gate)
  })
  return yield* Effect.gen(function* () {
    const bench = yield* open(store.memory, {
      name,
      onInterrupted: policy,
      tools: [tool("quick", Effect.void), tool("slow", slow)],
      digest
    })
    const { take, ...attachment } = yield* bench.handle.attach
    const events: Array<Envelope> = []
    yield* take.pipe(
      Effect.tap((batch) => Effect.sync(() => events.push(...batch))),
      Effect.forever,
      Effect.forkScoped
    )
    let call: ProbeCall | undefined
    yield* bench.model.next.pipe(
      Effect.tap((next) =>
        Effect.sync(() => {
          call = next
        })
      ),
      Effect.forever,
      Effect.forkScoped
    )
    yield* settled
    return {
      bench,
      store,
      scope,
      watched: { attachment, events },
      call: () => call,
      endTool: Effect.suspend(() => Deferred.succeed(gate, undefined))
    } satisfies Process
  }).pipe(Scope.provide(scope))
})

/** What a command is as a method of the protocol, in the pod's own names. */
const methodOf = (command: Command, { names, pod }: Guess, bench: Bench): Method | undefined => {
  const real = (name: string | undefined) => String(names.get(name ?? "") ?? "0197a1c2-0000-7000-8000-00000000000f")
  const runId = (named: "none" | "right" | "wrong") =>
    named === "none"
      ? {}
      : { run_id: named === "right" ? (bench.journal.state.run?.runId ?? real(undefined)) : real(undefined) }
  const place = (pick: number) => {
    const target = pickOf(targets(pod), pick)
    return { segment_id: real(target?.segment), user_input_entry_index: target?.entry ?? 0 }
  }
  switch (command.do) {
    case "run": {
      const { delivery, key, text } = command
      const input = [{ kind: "text", content: text }] as const
      const also = { ...(delivery === "none" ? {} : { delivery }), ...(key === undefined ? {} : { key }) }
      return { method: "run", params: { input, ...also } }
    }
    case "notify": {
      const { key, text, wake } = command
      return { method: "notify", params: { message: text, wake, ...(key === undefined ? {} : { key }) } }
    }
    case "pause":
    case "cancel":
      return { method: command.do, params: runId(command.named) }
    case "resume":
      return { method: "resume" }
    case "rewind": {
      const head = bench.journal.source().view.total
      const at = place(command.pick)
      const target =
        command.how === "no segment"
          ? { ...at, segment_id: real(undefined) }
          : command.how === "no input"
            ? { ...at, user_input_entry_index: 0 }
            : at
      return {
        method: "rewind_to",
        params: { target, expected_head_entries: command.how === "stale" ? head + 1 : head }
      }
    }
    case "undo rewind":
      return { method: "undo_rewind" }
    case "fork": {
      const { how, pick } = command
      const own = real(pod.chain[0]?.name)
      const at =
        how === "no input"
          ? { segment_id: own, user_input_entry_index: 0 }
          : pick === undefined
            ? undefined
            : place(pick)
      const pod_name = how === "taken" ? pod.name : `fork${pod.pods.length}`
      return { method: "fork", params: { pod_name, ...(at === undefined ? {} : { at }) } }
    }
    case "remove":
      return {
        method: "remove_inbox",
        params: { item_id: real(command.how === "gone" ? undefined : pickOf(pod.inbox, command.pick)?.id) }
      }
    default:
      return undefined
  }
}

/** What the outside world does beside methods. */
const act = (command: Command, guess: Guess, { bench, call, endTool }: Process): Effect.Effect<void> => {
  const { run } = guess.pod
  const current = call()
  if (command.do === "tool ends") return run?.state === "tool" ? endTool : Effect.void
  if (command.do === "foreign write" && guess.pod.chain.length > 0 && !guess.pod.torn) {
    const line = '{"kind":"extension","ts":1,"domain":"other","payload":{}}\n'
    return Effect.sync(() => {
      const segmentId = bench.journal.segmentId() ?? ""
      const ref = { sessionId: bench.handle.sessionId, segmentId }
      bench.memory.write(ref, new TextEncoder().encode(command.whole ? line : line.slice(0, 20)))
    })
  }
  if (command.do !== "answer" || run?.state !== "asking" || current === undefined) return Effect.void
  switch (command.how) {
    case "fail":
      return current.fail(badRequest)
    case "part":
      return run.part
        ? current.push({ type: "delta", index: 0, text: "" })
        : current.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "half" })
    case "text":
      return run.part ? current.finish(" and whole") : current.answer("answer")
    default: {
      if (run.part) return current.finish(" and whole")
      const tools = command.how === "both" ? ["quick", "slow"] : [command.how]
      return current.callTools(...tools.map((name, i) => ({ id: `${name}${guess.pod.calls + i}`, name, args: {} })))
    }
  }
}

const firstOf = (guesses: ReadonlyArray<Guess>): Guess => guesses[0] as Guess

/** Which guesses agree with what is seen; none is a difference. */
const agree = Effect.fnUntraced(function* (guesses: ReadonlyArray<Guess>, { bench, call, watched }: Process) {
  const real = yield* look(bench, call())
  const about = yield* wrong(bench, watched)
  if (about !== undefined) return yield* differ("a client sees something else than the events say", [about])
  return yield* keep(guesses, (pod) => seen(pod), real, "what is seen")
})

const keep = Effect.fnUntraced(function* (
  guesses: ReadonlyArray<Guess>,
  expected: (pod: Pod) => unknown,
  real: unknown,
  what: string
) {
  const kept: Array<Guess> = []
  const details: Array<string> = []
  for (const { names, pod } of guesses) {
    const matched = match(expected(pod), real, names)
    if ("names" in matched) kept.push({ pod, names: matched.names })
    else details.push(matched.differs)
  }
  return kept.length > 0 ? kept : yield* differ(what, details)
})

const plainAnswer = (answer: Answer | undefined) =>
  answer === undefined || answer.ok ? answer : { ok: false, code: answer.error.code }

const comparable = (state: object): unknown =>
  JSON.parse(JSON.stringify(state, (_, value: unknown) => (value instanceof Map ? Array.from(value) : value)))

/** The end of a process that was asked to stop: nothing of it is missing, and the file says what it was. */
const close = Effect.fnUntraced(function* ({ bench, scope, store, watched }: Process) {
  const stopped = yield* Effect.timeoutOption(bench.handle.shutdown, "1 minute")
  if (stopped._tag === "None") return yield* differ("the pod does not stop", [])
  yield* settled
  const about = yield* wrong(bench, watched, true)
  if (about !== undefined) return yield* differ("at its end", [about])
  const segmentId = bench.journal.segmentId()
  if (segmentId !== null) {
    const live = yield* plain(bench.journal.state)
    const { tornBytes: _, ...found } = yield* Effect.flatMap(SessionStore, (sessions) =>
      sessions.open({ sessionId: bench.handle.sessionId, segmentId })
    ).pipe(Effect.flatMap(restarted), Effect.scoped, Effect.provide(store.memory.layer))
    const matched = match(comparable(live), comparable(watched.isForeign === true ? live : found.state), new Map())
    if ("differs" in matched) return yield* differ("replay of the file", [matched.differs])
  }
  yield* Scope.close(scope, Exit.void)
})

const kill = Effect.fnUntraced(function* ({ scope, store }: Process, keeps: number) {
  store.kill(keeps)
  yield* Scope.close(scope, Exit.void)
})

const play = ({ commands, policy }: Case) =>
  Effect.gen(function* () {
    const memory = MemoryStore.make()
    let process = yield* boot(memory, policy, "bench")
    let guesses: ReadonlyArray<Guess> = [{ pod: fresh(policy), names: new Map() }]

    const restart = Effect.fnUntraced(function* (found: ReadonlyArray<Guess>) {
      const distinct = new Map(found.map((guess) => [JSON.stringify(guess.pod), guess] as const))
      process = yield* boot(memory, policy, firstOf(found).pod.name)
      guesses = Array.from(distinct.values(), ({ names, pod }) => ({ names: lasting(names), pod: start(pod) }))
    })

    const stop = Effect.gen(function* () {
      yield* close({ ...process, watched: { ...process.watched, isForeign: isForeign(firstOf(guesses).pod) } })
      return guesses.map(({ names, pod }) => ({ names, pod: shutdown(pod) }))
    })

    const crash = Effect.fnUntraced(function* ({ after, during, keeps }: Extract<Command, { do: "crash" }>) {
      const guess = firstOf(guesses)
      const given: Array<Answer> = []
      if (during !== undefined && during.do !== "crash" && during.do !== "restart" && during.do !== "fork") {
        const method = methodOf(during, guess, process.bench)
        const submit = process.bench.handle.submit
        yield* Effect.forkChild(
          method === undefined
            ? act(during, guess, process)
            : submit(method, (answer) => {
                given.push(answer)
              })
        )
      }
      yield* Effect.forEach(Array.from({ length: after }), () => Effect.yieldNow, { discard: true })
      // What a dying process says is heard by nobody.
      const heard = given[0]
      yield* kill(process, keeps)
      const found = guesses.flatMap(({ names, pod }): ReadonlyArray<Guess> => {
        if (during === undefined) return [{ names, pod }]
        const way = step(pod, during)
        if (heard === undefined) return way.states.map((state) => ({ names, pod: state }))
        const matched = match(way.answer, plainAnswer(heard), names)
        if ("differs" in matched) return []
        return way.states.slice(way.accepted).map((state) => ({ names: matched.names, pod: state }))
      })
      if (found.length === 0) return yield* differ("the answer before the crash", [JSON.stringify(heard)])
      yield* restart(found)
    })

    /** The fork is opened, looked at, and left again or stayed in. */
    const visit = Effect.fnUntraced(function* (ways: ReadonlyArray<readonly [Guess, Way]>, enter: boolean) {
      const forks = ways.flatMap(([{ names }, way]) => (way.forked === undefined ? [] : [{ names, pod: way.forked }]))
      if (forks.length === 0) return
      if (enter) {
        yield* stop
        return yield* restart(forks)
      }
      const there = yield* boot(memory, policy, firstOf(forks).pod.name)
      const asked: Command = { do: "run", text: "what do you know?", delivery: "none" }
      let known = yield* agree(
        forks.map(({ names, pod }) => ({ names: lasting(names), pod: start(pod) })),
        there
      )
      const method = methodOf(asked, firstOf(known), there.bench) as Method
      const [answer] = yield* ask(there.bench, method)
      const answered = known.map(({ names, pod }) => ({ names, pod, way: step(pod, asked) }))
      known = answered.map(({ names, way }) => ({ names, pod: way.states.at(-1) as Pod }))
      if (answer?.ok !== true) return yield* differ("the fork does not run", [JSON.stringify(answer)])
      // What it answers is compared with the rest: its names are the pod's own.
      yield* agree(known, there)
      yield* close(there)
    })

    const one = Effect.fnUntraced(function* (command: Command) {
      if (command.do === "restart") return yield* restart(yield* stop)
      if (command.do === "crash") return yield* crash(command)
      const guess = firstOf(guesses)
      const method = methodOf(command, guess, process.bench)
      const given = method === undefined ? [] : yield* ask(process.bench, method)
      yield* act(command, guess, process)
      yield* settled
      if (method !== undefined && given.length !== 1) return yield* differ(`${given.length} answers`, [])
      const ways = guesses.map((from) => [from, step(from.pod, command)] as const)
      const told: Array<readonly [Guess, Way]> = []
      const details: Array<string> = []
      for (const [{ names, pod }, way] of ways) {
        const matched = match(way.answer, plainAnswer(given[0]), names)
        if ("names" in matched) told.push([{ names: matched.names, pod }, way])
        else details.push(matched.differs)
      }
      if (told.length === 0) return yield* differ("the answer", [...details, `it was ${JSON.stringify(given[0])}`])
      guesses = told.map(([{ names }, way]) => ({ names, pod: way.states.at(-1) as Pod }))
      if (command.do === "fork") yield* visit(told, command.enter)
    })

    for (const [i, command] of commands.entries()) {
      yield* one(command).pipe(
        Effect.andThen(Effect.suspend(() => agree(guesses, process))),
        Effect.tap((left) => {
          guesses = left
          return Effect.void
        }),
        Effect.mapError((error) => new Differs({ message: `after command ${i + 1}: ${error.message}` }))
      )
    }
    yield* stop
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

/** Numbers of events begin anew with each start. */
const lasting = (names: Names): Names => new Map(Array.from(names).filter(([name]) => !name.startsWith("§seq")))

const isForeign = ({ foreign, torn }: Pod): boolean => foreign > 0 || torn

/** What is wrong, or undefined. The same seed plays the same schedule. */
export const differenceOf = async (seed: number, played: Case): Promise<string | undefined> => {
  const { exit } = await simulate(seed, play(played))
  if (Exit.isSuccess(exit)) return undefined
  const error = Cause.squash(exit.cause)
  return error instanceof Differs ? error.message : Cause.pretty(exit.cause)
}
