/**
 * `effect-pod run [TEXT]`: one turn, streamed to the terminal.
 *
 * Whether the pod runs already or is hosted for the length of the turn, the turn goes over its socket: there is one way
 * to watch a run. The answer is stdout's; everything else is stderr's.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Client from "./Client.ts"
import { type CliError, ExitCode, failed, usage } from "./CliError.ts"
import { finder } from "./FileReferences.ts"
import { host } from "./Host.ts"
import { segmentsOf } from "./Input.ts"
import type { Command, Invocation } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import { prepare, type Prepared } from "./Prepare.ts"
import { Renderer } from "./Render.ts"
import * as RunApprovals from "./RunApprovals.ts"
import { follow, type Watched } from "./RunFollow.ts"
import { takeOver } from "./Takeover.ts"
import * as Terminal from "./Terminal.ts"
import * as Values from "./Values.ts"

/** Entries that are enough to find the end of a run after having fallen behind. */
const tail = 64

/** For a cancelled run to say that it has ended. */
const cancelPatience = "10 seconds"

const inputOf = Effect.fnUntraced(function* (invocation: Invocation) {
  const { positionals, terminal } = invocation
  const given = positionals[0]
  if (given === undefined)
    return yield* usage("run needs TEXT", "effect-pod run 'what to do', or - to read it from stdin")
  const typed = given !== "-"
  const text = typed ? given : yield* Terminal.readAll(terminal)
  if (text.trim() === "") return yield* usage(typed ? "TEXT is empty" : "stdin is empty: there is nothing to do")
  return { text, typed }
})

/** Somebody sits there who sees the question and can type an answer. */
const canAnswer = ({ isTty }: Terminal.Terminal): boolean => isTty.in && isTty.err

/** Flags that only mean something where `run` hosts the pod. */
const hostFlags = ["manifest", "cwd", "require-pod-state"]

const connect = Effect.fnUntraced(function* (
  invocation: Invocation,
  machine: Machine.Machine,
  prepared: Prepared
): Effect.fn.Return<{ readonly client: Client.Client; readonly hosted: boolean }, CliError, Scope.Scope> {
  const { flags, terminal } = invocation
  const options = { tail, timeout: "10 seconds" as const, lines: true, answers: canAnswer(terminal) }
  // An exact segment, or a pod that leaves nothing behind, is not whatever runs under that name now.
  const own = flags["ephemeral"] === true || flags["session"] !== undefined
  const freed = !own && flags["takeover"] === true && (yield* takeOver(prepared)) === "free"
  const owner = own || freed ? undefined : yield* machine.owner(prepared.name)
  if (owner === undefined) {
    const { socket } = yield* host(prepared)
    return { client: yield* Machine.connectTo(socket, prepared.name, options), hosted: true }
  }
  if (prepared.unused !== undefined) yield* terminal.err(`note: ${prepared.unused}\n`)
  const useless = hostFlags.filter((flag) => flags[flag] !== undefined).map((flag) => `--${flag}`)
  if (useless.length > 0) {
    yield* terminal.err(`note: ${prepared.name} is running already: ${useless.join(", ")} has no effect on it\n`)
  }
  return { client: yield* Machine.connect(machine, prepared.name, options), hosted: false }
})

/** Hands the input over; waits in the queue of a busy pod unless told not to. */
const submit = Effect.fnUntraced(function* (
  invocation: Invocation,
  client: Client.Client,
  name: string,
  input: { readonly text: string; readonly typed: boolean }
): Effect.fn.Return<Watched, CliError> {
  const { flags, terminal } = invocation
  const { greeting, status } = client.snapshot
  const segments = input.typed
    ? segmentsOf(input.text, finder(invocation.cwd, greeting.cwd))
    : [{ kind: "text", content: input.text } as const]
  const run = (delivery: "reject" | "queue") =>
    client.request("run", { input: segments.map((segment) => ({ ...segment })), delivery })
  // In the queue of a paused pod it would wait for somebody to resume: a new run takes the paused one's place.
  const first = flags["no-wait"] === true || status === "paused" ? "reject" : "queue"
  if (status === "paused") yield* terminal.err(`note: ${name} was paused; its paused run is given up for this one\n`)
  const reply = yield* run(first).pipe(
    Effect.catchIf(
      (error) => error._tag === "Refused" && error.code === "already_running" && flags["no-wait"] !== true,
      () => run("queue")
    ),
    Effect.mapError((error) =>
      error._tag === "Unreachable"
        ? failed(error.message)
        : error.code === "already_running"
          ? failed(`${name} is busy`, "without --no-wait the input waits in its queue")
          : failed(error.message, error.hint)
    )
  )
  const accepted = reply as { readonly run_id: string; readonly item_id?: string }
  if (accepted.item_id !== undefined) {
    yield* terminal.err(`${name} is busy: queued; it starts when the current run has ended\n`)
  }
  return { runId: accepted.run_id, itemId: accepted.item_id }
})

/** Takes back what has not begun, cancels what has. */
const cancel = Effect.fnUntraced(function* (
  terminal: Terminal.Terminal,
  client: Client.Client,
  watched: Watched,
  started: boolean
) {
  yield* terminal.err("cancelling; Ctrl-C again leaves at once\n")
  if (!started && watched.itemId !== undefined) {
    const removed = yield* Effect.result(client.request("remove_inbox", { item_id: watched.itemId }))
    if (removed._tag === "Success") return yield* Effect.succeed("removed" as const)
    if (removed.failure._tag === "Refused" && removed.failure.code !== "not_found") {
      yield* terminal.err(`the input stays in the queue: ${removed.failure.message}\n`)
      return "removed" as const
    }
  }
  // A refusal means that it has just ended by itself: its end is on the way.
  yield* Effect.ignore(client.request("cancel", { run_id: watched.runId }))
  return "asked" as const
})

/** What the user's first signal finds. */
interface Stopping {
  readonly asked: Deferred.Deferred<void>
  /** There is, or may be, a run to cancel. */
  begun: boolean
}

const turn = Effect.fnUntraced(function* (
  invocation: Invocation,
  stopping: Stopping,
  grace: Duration.Duration
): Effect.fn.Return<ExitCode, CliError, Scope.Scope> {
  const { env, flags, terminal } = invocation
  const input = yield* inputOf(invocation)
  const prepared = yield* prepare(invocation)
  const machine = yield* Machine.make(env)
  const { client, hosted } = yield* connect(invocation, machine, prepared)
  if (hosted) {
    yield* Effect.addFinalizer(() =>
      invocation.endWithin(Duration.toMillis(grace), `the pod did not stop within ${Duration.format(grace)}`)
    )
  }
  stopping.begun = true
  const watched = yield* submit(invocation, client, prepared.name, input)
  let started = watched.itemId === undefined
  const renderer = new Renderer({
    color: { answer: false, info: terminal.color.err },
    safeAnswer: terminal.isTty.out,
    sameScreen: terminal.isTty.out && terminal.isTty.err,
    live: terminal.isTty.err,
    thinking: terminal.isTty.err,
    everything: false,
    asks: canAnswer(terminal),
    columns: terminal.columns(),
    cwd: client.snapshot.greeting.cwd
  })
  const approvals = canAnswer(terminal)
    ? yield* RunApprovals.make(terminal, client, (text) =>
        Effect.forEach(renderer.note(text), (chunk) => terminal.err(chunk.text), { discard: true })
      )
    : undefined
  const following = follow(client, watched, {
    onStart: () => {
      started = true
    },
    onEvent: ({ event, json }) =>
      (flags["json"] === true
        ? terminal.out(`${JSON.stringify(json)}\n`)
        : event === undefined
          ? Effect.void
          : Effect.forEach(
              renderer.render(event),
              ({ text, to }) => (to === "answer" ? terminal.out(text) : terminal.err(text)),
              {
                discard: true
              }
            )
      ).pipe(Effect.andThen(event === undefined ? Effect.void : (approvals?.seen(event) ?? Effect.void))),
    onSnapshot: (snapshot) => approvals?.replace(snapshot) ?? Effect.void,
    onGap: terminal.err("fell behind; a part of the answer is missing here, the log has all of it\n")
  })
  const cancelling = Deferred.await(stopping.asked).pipe(
    Effect.andThen(Effect.suspend(() => cancel(terminal, client, watched, started))),
    Effect.flatMap((state) => (state === "removed" ? Effect.void : Effect.sleep(cancelPatience))),
    Effect.as(ExitCode.cancelled)
  )
  return yield* Effect.raceFirst(following, cancelling)
})

export const command: Command = {
  signals: "graceful",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* (invocation) {
    const grace = yield* Values.duration(invocation.flags, "grace", Duration.seconds(10))
    const stopping: Stopping = { asked: yield* Deferred.make<void>(), begun: false }
    const patience = Duration.sum(Duration.fromInputUnsafe(cancelPatience), grace)
    const stop = Effect.andThen(invocation.signal, Deferred.succeed(stopping.asked, undefined)).pipe(
      // Before there is a run to cancel, the command itself is what is given up.
      Effect.andThen(Effect.suspend(() => (stopping.begun ? Effect.sleep(patience) : Effect.void))),
      Effect.as(ExitCode.cancelled)
    )
    return yield* Effect.raceFirst(Effect.scoped(turn(invocation, stopping, grace)), stop)
  })
}
