/**
 * `effect-pod attach NAME`: a terminal at a running pod.
 *
 * Three things go on at once: events are shown, typed lines are sent, Ctrl-C is listened to. Whichever comes to an end
 * first ends the command; the pod goes on. A connection that is lost is made again for a while.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Client, PodEvent, Snapshot } from "./Client.ts"
import { AttachInput } from "./AttachInput.ts"
import * as AttachScreen from "./AttachScreen.ts"
import { type CliError, ExitCode, failed } from "./CliError.ts"
import type { Command, Invocation } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import { type Chunk, Renderer } from "./Render.ts"
import { plain, plural, style } from "./Text.ts"
import type { Terminal } from "./Terminal.ts"
import { Transcript } from "./Transcript.ts"
import * as Values from "./Values.ts"

const defaultTail = 20

/** A pod that was killed is given this long to be started again: 40 attempts. */
const reconnect = Schedule.max([Schedule.spaced("500 millis"), Schedule.recurs(40)])

interface View {
  readonly terminal: Terminal
  readonly screen: AttachScreen.Screen
  readonly renderer: Renderer
}

const makeRenderer = (terminal: Terminal, cwd: string): Renderer =>
  new Renderer({
    color: { answer: false, info: terminal.color.out },
    safeAnswer: terminal.isTty.out,
    sameScreen: true,
    live: terminal.isTty.out,
    thinking: true,
    everything: true,
    asks: true,
    columns: terminal.columns(),
    cwd
  })

const write = (view: View, chunks: ReadonlyArray<Chunk>) => view.screen.write(chunks.map(({ text }) => text).join(""))

/** Who it is, what it did last, and what it is in the middle of. */
const showSnapshot = (view: View, snapshot: Snapshot) => {
  const { terminal } = view
  const { greeting } = snapshot
  const { dim } = style(terminal.color.out)
  const transcript = new Transcript({
    color: terminal.color.out,
    columns: terminal.columns(),
    cwd: greeting.cwd,
    times: false,
    thinking: false,
    past: defaultTail
  })
  const past = snapshot.entries.map((entry) => transcript.render(entry)).join("")
  const left = snapshot.entries_from ?? 0
  const earlier =
    left === 0
      ? ""
      : dim(`· ${plural(left, "earlier entry", "earlier entries")}: effect-pod log ${greeting.pod_name}\n`)
  const notes = (greeting.notes ?? []).map((note) => dim(`· ${plain(note)}\n`)).join("")
  const waiting =
    snapshot.inbox === undefined || snapshot.inbox.length === 0
      ? ""
      : dim(`· ${plural(snapshot.inbox.length, "item")} in the inbox\n`)
  const head = dim(
    `· ${greeting.pod_name}: ${plain(`${greeting.provider} ${greeting.model}`)} in ${plain(greeting.cwd)}\n`
  )
  view.renderer.setStatus(snapshot.status)
  const status = dim(`· ${snapshot.status}; /help lists the commands\n`)
  return Effect.andThen(
    view.screen.write(head + notes + earlier + past + waiting + status),
    write(view, view.renderer.inFlight(snapshot.in_flight ?? null))
  )
}

/** Shows what comes until the connection ends; true if the pod said that it shuts down. */
const watch = Effect.fnUntraced(function* (view: View, client: Client, input: AttachInput) {
  let stopping = false
  while (true) {
    const line = yield* Effect.result(Queue.take(client.lines))
    if (line._tag === "Failure") return stopping
    const { event } = line.success
    if (event === undefined) continue
    if (event.event === "snapshot") {
      yield* showSnapshot(view, event.data)
      yield* input.asked(event.data)
    } else yield* write(view, view.renderer.render(event))
    if (event.event === "shutdown") stopping = true
    yield* input.seen(statusOf(event), event)
    if (view.terminal.outClosed()) return true
  }
})

const statusOf = (event: PodEvent) =>
  event.event === "status" || event.event === "snapshot" ? event.data.status : undefined

const converse = Effect.fnUntraced(function* (
  invocation: Invocation,
  machine: Machine.Machine,
  name: string,
  tail: number
): Effect.fn.Return<ExitCode, CliError, Scope.Scope> {
  const { terminal } = invocation
  const options = { tail, timeout: "10 seconds" as const, lines: true, answers: true }
  const connect = Machine.connect(machine, name, options)
  const first = yield* connect
  const { cwd } = first.snapshot.greeting
  const renderer = makeRenderer(terminal, cwd)
  const screen = yield* AttachScreen.open(terminal, { prompt: `${name}> `, onBreak: () => renderer.lineBroken() })
  const view: View = { terminal, screen, renderer }
  const input = new AttachInput({
    client: first,
    cwd: invocation.cwd,
    note: (text) => write(view, view.renderer.note(style(terminal.color.out).dim(text))),
    question: (text) => write(view, view.renderer.note(style(terminal.color.out).yellow(text))),
    waitsForRuns: !terminal.isTty.in
  })
  yield* showSnapshot(view, first.snapshot)
  yield* input.asked(first.snapshot)

  const events = Effect.gen(function* () {
    let client = first
    while (true) {
      if (yield* watch(view, client, input)) return ExitCode.ok
      yield* input.note("· the connection is lost; trying again")
      client = yield* connect.pipe(
        Effect.retry(reconnect),
        Effect.mapError(() => failed(`${name} went away`, `effect-pod serve --pod ${name} starts it again`))
      )
      input.reconnected(client)
      yield* showSnapshot(view, client.snapshot)
      yield* input.asked(client.snapshot)
    }
  })
  const lines = Effect.gen(function* () {
    while (true) {
      const line = yield* Effect.result(Queue.take(screen.lines))
      if (line._tag === "Failure") return yield* Effect.as(input.ended, ExitCode.ok)
      if (yield* input.entered(line.success)) return ExitCode.ok
    }
  })
  const interrupts = Effect.gen(function* () {
    while (true) {
      const signal = yield* Effect.raceFirst(
        Effect.as(Queue.take(screen.interrupts), "SIGINT" as const),
        invocation.signal
      )
      if (signal !== "SIGINT" || (yield* input.interrupted)) return ExitCode.ok
    }
  })
  return yield* Effect.raceFirst(Effect.raceFirst(events, lines), interrupts)
})

export const command: Command = {
  signals: "own",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* (invocation) {
    const name = yield* Values.podName(invocation.positionals[0] ?? "")
    const tail = (yield* Values.count(invocation.flags, "tail", 0)) ?? defaultTail
    const machine = yield* Machine.make(invocation.env)
    return yield* Effect.scoped(converse(invocation, machine, name, tail))
  })
}
