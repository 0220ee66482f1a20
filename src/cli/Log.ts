/** `effect-pod log NAME`: what was said and done, for people or as raw entries; `--follow` goes on with what happens. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type CliError, ExitCode, failed } from "./CliError.ts"
import { storageError } from "./Failures.ts"
import type { Command, Invocation } from "./Invocation.ts"
import * as LogFollow from "./LogFollow.ts"
import * as LogSource from "./LogSource.ts"
import * as Machine from "./Machine.ts"
import { Transcript } from "./Transcript.ts"
import * as Values from "./Values.ts"

const printerOf = ({ flags, terminal }: Invocation, cwd: string | undefined): LogFollow.Printer => {
  const transcript = new Transcript({
    color: terminal.color.out,
    columns: terminal.columns(),
    cwd,
    times: true,
    thinking: true,
    past: Infinity
  })
  const show =
    flags["json"] === true
      ? (text: string) => `${text}\n`
      : (text: string) => transcript.render(JSON.parse(text) as Schema.Json)
  return {
    print: (texts) => terminal.out(texts.map(show).join("")),
    note: (text) => terminal.err(`note: ${text}\n`),
    closed: terminal.outClosed
  }
}

/** What is on disk of a pod that nobody can follow. */
const kept = Effect.fnUntraced(function* (
  invocation: Invocation,
  machine: Machine.Machine,
  name: string,
  from: number
): Effect.fn.Return<ExitCode, CliError, Scope.Scope> {
  const source = yield* LogSource.fromDisk(machine, name)
  const printer = printerOf(invocation, source.cwd)
  yield* LogFollow.make(from, printer)(source.entries)
  const owner = yield* machine.owner(name)
  if (owner === undefined) {
    yield* printer.note(`${name} is not running: this is all there is`)
    return ExitCode.ok
  }
  return yield* failed(
    `${name} does not answer: this is what is on disk`,
    `process ${owner.pid} holds it; effect-pod status ${name} says more`
  )
})

const followed = Effect.fnUntraced(function* (
  invocation: Invocation,
  machine: Machine.Machine,
  name: string,
  from: number
): Effect.fn.Return<ExitCode, CliError, Scope.Scope> {
  const live = yield* LogSource.fromPod(machine, name, true)
  if (live === undefined) return yield* kept(invocation, machine, name, from)
  const printer = printerOf(invocation, live.cwd)
  const follower = LogFollow.make(from, printer)
  yield* LogFollow.follow(live, follower, printer)
  if (printer.closed()) return ExitCode.ok
  // The last lines of a pod that stops are committed when the connection is closed already. One that keeps nothing has
  // no log any more.
  const stored = yield* Effect.mapError(machine.pods.get(name), storageError)
  if (Option.isSome(stored)) {
    const { entries, total } = yield* LogSource.fromDisk(machine, name)
    if (total > 0) yield* follower(entries)
  }
  yield* printer.note(`${name} has stopped`)
  return ExitCode.ok
})

const printed = Effect.fnUntraced(function* (
  invocation: Invocation,
  machine: Machine.Machine,
  name: string,
  from: number
): Effect.fn.Return<ExitCode, CliError, Scope.Scope> {
  const limit = yield* Values.count(invocation.flags, "limit", 1)
  const source = yield* LogSource.open(machine, name)
  const printer = printerOf(invocation, source.cwd)
  const to = limit === undefined ? source.total : Math.min(source.total, from + limit)
  yield* source.entries(Math.min(from, to), to).pipe(
    Stream.takeWhile(() => !printer.closed()),
    Stream.runForEach(printer.print)
  )
  return ExitCode.ok
})

export const command: Command = {
  signals: "graceful",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* (invocation) {
    const { env, flags, positionals } = invocation
    const name = yield* Values.podName(positionals[0] ?? "")
    const from = (yield* Values.count(flags, "from", 0)) ?? 0
    const machine = yield* Machine.make(env)
    const follows = flags["follow"] === true
    const work = Effect.scoped((follows ? followed : printed)(invocation, machine, name, from))
    // To leave is how following ends; a listing that is cut off is not whole.
    return yield* Effect.raceFirst(work, Effect.as(invocation.signal, follows ? ExitCode.ok : ExitCode.cancelled))
  })
}
