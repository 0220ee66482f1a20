/**
 * `effect-pod import FILE`: a new pod, stopped, with the log of a portable file in a session of its own.
 *
 * The name is given last and to nobody else: until then there is a session that no pod names, and if anything fails not
 * even that.
 */
import { statSync } from "node:fs"
import { resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { closeCalls, terminal as ending } from "../pod/Ending.ts"
import { type LogEntry, noUsage } from "../protocol/LogEntry.ts"
import type { ScopeRules } from "../protocol/ScopeRule.ts"
import * as Ids from "../runtime/Ids.ts"
import { summary } from "../scope/Scope.ts"
import type { SegmentFile, SegmentRef } from "../session/SessionStore.ts"
import type { StorageError } from "../session/StorageError.ts"
import { type CliError, ExitCode, failed, usage } from "./CliError.ts"
import { openLog } from "./DiskLog.ts"
import { storageError } from "./Failures.ts"
import { hold } from "./Holding.ts"
import type { Command, Invocation } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import * as PortableFile from "./PortableFile.ts"
import { oneLine, plural } from "./Text.ts"
import * as Values from "./Values.ts"

const chunkBytes = 1 << 20

const nameOf = Effect.fnUntraced(function* (
  { flags }: Invocation,
  { header }: PortableFile.PortableFile
): Effect.fn.Return<string, CliError> {
  const name = Values.text(flags, "pod") ?? header?.name
  if (name === undefined) return yield* usage("this file names no pod", "give it a name: --pod NAME")
  return yield* Values.podName(name)
})

const taken = (name: string): CliError =>
  failed(`there is a pod ${name} already`, "give the new one another name: --pod NAME")

/** All of it is on the disk when this returns. */
const write = Effect.fnUntraced(function* (
  target: SegmentFile,
  { file, first, rest, start }: PortableFile.PortableFile
): Effect.fn.Return<void, StorageError> {
  const opening =
    start === undefined
      ? first
      : new TextEncoder().encode(`${JSON.stringify({ ...start, session_id: target.ref.sessionId })}\n`)
  yield* target.append(opening, { at: 0, sync: rest.from >= rest.to })
  let written = opening.length
  for (let at = rest.from; at < rest.to; at += chunkBytes) {
    const chunk = yield* file.read(at, Math.min(rest.to, at + chunkBytes))
    yield* target.append(chunk, { at: written, sync: at + chunkBytes >= rest.to })
    written += chunk.length
  }
})

/** As after a crash: nobody will go on with what had not ended. Which calls had begun is not in the file. */
const closeRun = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  target: SegmentFile,
  openRun: PortableFile.PortableFile["openRun"]
): Effect.fn.Return<ScopeRules | undefined, StorageError> {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { state } = yield* openLog(machine, target.ref)
      if (openRun === undefined) return state.scope
      for (const call of state.openCalls.values()) call.started = true
      const runId = openRun.runId ?? (yield* Ids.uuid)
      const ts = yield* Clock.currentTimeMillis
      const drafts = [
        ...closeCalls(state, "crashed", runId, openRun.leg),
        ...ending(runId, openRun.leg, state.turnCount, { result: "interrupted", usage: noUsage })
      ]
      const lines = drafts.map((draft) => `${JSON.stringify({ ...draft, ts } as LogEntry)}\n`).join("")
      yield* target.append(new TextEncoder().encode(lines), { at: yield* target.size, sync: true })
      return state.scope
    })
  )
})

const make = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  name: string,
  source: PortableFile.PortableFile
): Effect.fn.Return<{ readonly ref: SegmentRef; readonly scope: ScopeRules | undefined }, CliError, Scope.Scope> {
  const ref = { sessionId: yield* Ids.uuid, segmentId: yield* Ids.uuid }
  yield* hold(machine, name, ref.sessionId)
  const filling = Effect.gen(function* () {
    const target = yield* machine.sessions.create(ref)
    yield* write(target, source)
    const scope = yield* closeRun(machine, target, source.openRun)
    const cwd = source.header?.cwd
    const there = cwd !== undefined && statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true
    yield* machine.pods.create(name, {
      active: { session_id: ref.sessionId, segment_id: ref.segmentId },
      ...(there ? { cwd } : {})
    })
    return { ref, scope }
  })
  return yield* filling.pipe(
    Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.ignore(machine.sessions.remove(ref)))),
    Effect.mapError((error) => (error.reason === "Exists" ? taken(name) : storageError(error)))
  )
})

const imported = Effect.fnUntraced(function* (
  invocation: Invocation
): Effect.fn.Return<ExitCode, CliError, Scope.Scope> {
  const { cwd, env, flags, positionals, terminal } = invocation
  const path = resolve(cwd, positionals[0] ?? "")
  const source = yield* PortableFile.read(path)
  const name = yield* nameOf(invocation, source)
  const machine = yield* Machine.make(env)
  const known = yield* Effect.result(machine.pods.get(name))
  if (known._tag === "Failure" || Option.isSome(known.success)) return yield* taken(name)
  const { ref, scope } = yield* make(machine, name, source)
  if (source.cut) yield* terminal.err("note: a write that was cut at the end of the file was left out\n")
  if (source.openRun !== undefined) yield* terminal.err("note: a run that had not ended was closed as interrupted\n")
  const may =
    scope === undefined ? "nothing until a manifest says so" : oneLine(summary(scope).replace(/\s+/g, " "), 300)
  yield* terminal.err(`note: its log brings its scope: ${may}; a manifest can narrow it\n`)
  const report = {
    name,
    session_id: ref.sessionId,
    segment_id: ref.segmentId,
    journal: machine.segmentPath(ref.sessionId, ref.segmentId),
    entries: source.entries
  }
  yield* terminal.out(
    flags["json"] === true
      ? `${JSON.stringify(report)}\n`
      : `imported ${plural(report.entries, "entry", "entries")} as ${name}; effect-pod serve --pod ${name} starts it\n`
  )
  return ExitCode.ok
})

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: (invocation) => Effect.scoped(imported(invocation))
}
