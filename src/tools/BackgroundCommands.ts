/**
 * The commands of a pod that run in the background: each with an id, its output in a file, and an end of its own.
 *
 * They belong to the pod and not to the run that started them: they end by themselves, when they are stopped, when
 * they write too much, or with the pod. Their number is bounded, and so is what is remembered of those that have ended.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { Launcher, LaunchSpec } from "../runtime/Launcher.ts"
import { describe } from "../scope/Resolve.ts"
import * as Text from "../scope/Text.ts"
import * as CommandOutput from "./CommandOutput.ts"
import type { Ending } from "./Ending.ts"
import { failed, fromLaunch, invalid } from "./Failure.ts"
import * as OutputFiles from "./OutputFiles.ts"
import type { ToolCallContext, ToolError } from "./Tool.ts"

/** At the same time. */
export const maxRunning = 16

/** Of those that have ended, with their files. */
const maxEnded = 16

/** Of those whose files are gone: how they ended is known as long as nobody can have missed it. */
const maxPast = 1_024

/** `gone`: this process knows nothing of it. */
export type CommandState = "running" | "gone" | Ending

export interface Reading {
  /** The first line of the command. */
  readonly title: string
  /** Undefined: it runs. */
  readonly ending: Ending | undefined
  /** What came since it was read last; of much of it the beginning and the end. */
  readonly content: string
  readonly newBytes: number
  readonly totalBytes: number
  readonly truncated: boolean
  /** The file with all of it. */
  readonly path: string
}

export interface BackgroundCommands {
  /** Nobody knows of a command whose start is not recorded: it is ended with the call. */
  readonly start: (
    title: string,
    spec: LaunchSpec,
    unlessRecorded: ToolCallContext["unlessRecorded"]
  ) => Effect.Effect<{ readonly id: string; readonly path: string }, ToolError>
  readonly read: (id: string) => Effect.Effect<Reading, ToolError>
  /** Ends the command with all that it has started, if it still runs, and tells how it ended. */
  readonly stop: (id: string) => Effect.Effect<Ending, ToolError>
  readonly stateOf: (id: string) => CommandState
}

interface Command {
  readonly title: string
  readonly output: OutputFiles.OutputFile
  readonly scope: Scope.Closeable
  /** Completed by whoever ends the command first. */
  readonly end: Deferred.Deferred<Ending>
  /** Completed when nothing of it runs any more and its output is in the file. */
  readonly over: Deferred.Deferred<Ending>
  readonly reading: Semaphore.Semaphore
  /** Bytes that came, and those of them that are in the file. */
  produced: number
  written: number
  seen: number
  ending: Ending | undefined
  /** Why the rest of the output could not be kept. */
  trouble: string | undefined
}

const readAt = Effect.fnUntraced(function* ({ file }: OutputFiles.OutputFile, from: number, length: number) {
  const bytes = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const read = yield* file.read(bytes.subarray(filled), { position: BigInt(from + filled) })
    if (read === 0) break
    filled += read
  }
  return bytes.subarray(0, filled)
})

/** Where the whole characters of a range end: of the last one more may still come. */
const endOfCharacters = Effect.fnUntraced(function* (output: OutputFiles.OutputFile, from: number, to: number) {
  const bytes = yield* readAt(output, Math.max(from, to - 4), Math.min(4, to - from))
  const start = Text.boundaryBefore(bytes, bytes.length - 1)
  const first = bytes[start] ?? 0
  const needed = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
  return bytes.length - start < needed ? to - (bytes.length - start) : to
})

/** A range of the output as text: whole up to `limit` bytes, else its beginning and its end. */
const excerpt = Effect.fnUntraced(function* (output: OutputFiles.OutputFile, from: number, to: number, limit: number) {
  const length = to - from
  if (length <= limit) return { text: Text.decodeLossy(yield* readAt(output, from, length)), left: 0 }
  const head = CommandOutput.headOf(yield* readAt(output, from, CommandOutput.headRoom + 1))
  const rest = Math.min(CommandOutput.tailRoom, length - head.length)
  const tail = CommandOutput.tailOf(yield* readAt(output, to - rest, rest))
  const left = length - head.length - tail.length
  return { text: CommandOutput.joined(head, left, tail), left }
})

export const make = Effect.fnUntraced(function* (options: {
  readonly launcher: Launcher["Service"]
  readonly files: OutputFiles.OutputFiles
  readonly limits: CommandOutput.OutputLimits
}): Effect.fn.Return<BackgroundCommands, never, Scope.Scope> {
  const { files, launcher, limits } = options
  const owner = yield* Scope.fork(yield* Effect.scope, "parallel")
  const commands = new Map<string, Command>()
  const past = new Map<string, Ending>()
  const starting = yield* Semaphore.make(1)

  const find = (id: string) => {
    const command = commands.get(id)
    if (command !== undefined) return Effect.succeed(command)
    const known = commands.size === 0 ? "There are none now." : `Known are: ${Array.from(commands.keys()).join(", ")}.`
    return invalid(
      `There is no background command "${id}". ${known} Commands in the background end with the pod: those of an ` +
        `earlier start are gone. Of those that have ended the last ${maxEnded} are kept, as far as there is room.`
    )
  }

  const forget = Effect.fnUntraced(function* () {
    const ended = Array.from(commands).filter(([, { ending }]) => ending !== undefined)
    for (const [, command] of ended.slice(0, Math.max(0, ended.length - maxEnded))) yield* command.output.remove
  })

  /** Its file goes, for newer output or because enough others have ended since. */
  const letGo = (id: string, command: Command, ending: Ending): Effect.Effect<void> =>
    Effect.suspend(() => {
      commands.delete(id)
      past.set(id, ending)
      const [oldest] = past.keys()
      if (past.size > maxPast && oldest !== undefined) past.delete(oldest)
      return Scope.close(command.scope, Exit.void)
    })

  /** With its output: nobody will ask for it. */
  const discard = Effect.fnUntraced(function* (command: Command) {
    yield* Deferred.succeed(command.end, { _tag: "Stopped" })
    yield* Deferred.await(command.over)
    yield* command.output.remove
  })

  /** Keeps what fits. */
  const keep = Effect.fnUntraced(function* (command: Command, chunk: Uint8Array) {
    const room = limits.quotaBytes - command.produced
    const taken = chunk.length > room ? chunk.subarray(0, Math.max(0, room)) : chunk
    if (command.trouble === undefined && taken.length > 0) {
      const kept = yield* Effect.result(command.output.append(taken))
      if (kept._tag === "Success") command.written += kept.success
      else command.trouble = describe(kept.failure)
    }
    command.produced += taken.length
    if (taken.length < chunk.length) {
      yield* Deferred.succeed(command.end, { _tag: "OverQuota", bytes: limits.quotaBytes })
    }
  })

  const launch = Effect.fnUntraced(function* (id: string, title: string, spec: LaunchSpec, scope: Scope.Closeable) {
    const output = yield* files.open.pipe(
      Effect.mapError((error) => failed(`No file could be made for the output of the command: ${describe(error)}.`)),
      Scope.provide(scope)
    )
    const tree = yield* Scope.fork(scope)
    const running = yield* Effect.mapError(Scope.provide(launcher.start(spec), tree), fromLaunch)
    const command: Command = {
      title,
      output,
      scope,
      end: yield* Deferred.make<Ending>(),
      over: yield* Deferred.make<Ending>(),
      reading: yield* Semaphore.make(1),
      produced: 0,
      written: 0,
      seen: 0,
      ending: undefined,
      trouble: undefined
    }
    const follow = Effect.gen(function* () {
      const reading = yield* Effect.forkChild(Stream.runForEach(running.output, (chunk) => keep(command, chunk)))
      const ending = yield* Effect.raceFirst(running.exit, Deferred.await(command.end))
      yield* Scope.close(tree, Exit.void)
      yield* Fiber.join(reading)
      // In one step: who is let go of is not waited for any more.
      command.ending = ending
      Deferred.doneUnsafe(command.over, Exit.succeed(ending))
      output.finish(letGo(id, command, ending))
    })
    yield* Effect.forkIn(follow, scope)
    return command
  })

  const lost = ({ output, trouble }: Command): string =>
    trouble === undefined
      ? output.dropped() === 0
        ? ""
        : `\n[${OutputFiles.droppedText(output.dropped(), files)}]\n`
      : `\n[the rest could not be kept: ${trouble}]\n`

  return {
    stateOf: (id) => {
      const command = commands.get(id)
      return command === undefined ? (past.get(id) ?? "gone") : (command.ending ?? "running")
    },
    start: (title, spec, unlessRecorded) =>
      starting.withPermits(1)(
        Effect.gen(function* () {
          const running = Array.from(commands).filter(([, { ending }]) => ending === undefined)
          if (running.length >= maxRunning) {
            const ids = running.map(([id]) => id).join(", ")
            return yield* invalid(`${maxRunning} commands run in the background, and no more may: end one of ${ids}.`)
          }
          const number = yield* Random.nextIntBetween(36 ** 5, 36 ** 6 - 1)
          const id = `bash_${number.toString(36)}`
          const command = yield* Effect.uninterruptibleMask((restore) =>
            Effect.gen(function* () {
              const scope = yield* Scope.fork(owner)
              const launched = yield* Effect.onError(restore(launch(id, title, spec, scope)), (cause) =>
                Scope.close(scope, Exit.failCause(cause))
              )
              commands.set(id, launched)
              yield* unlessRecorded(discard(launched))
              return launched
            })
          )
          yield* forget()
          return { id, path: command.output.path }
        })
      ),
    read: Effect.fnUntraced(function* (id) {
      const command = yield* find(id)
      return yield* command.reading.withPermits(1)(
        Effect.gen(function* () {
          // Taken before the file is read: what comes meanwhile is told the next time.
          const { ending, output, seen, title, written } = command
          const end = ending === undefined ? yield* endOfCharacters(output, seen, written) : written
          const unread = end - seen
          const shown = yield* excerpt(output, seen, end, limits.inlineBytes)
          command.seen = end
          return {
            title,
            ending,
            content: shown.text + lost(command),
            newBytes: unread,
            totalBytes: written,
            truncated: shown.left > 0,
            path: output.path
          } satisfies Reading
        }).pipe(Effect.mapError((error) => failed(`The output of "${id}" could not be read: ${describe(error)}.`)))
      )
    }),
    stop: Effect.fnUntraced(function* (id) {
      const command = yield* find(id)
      yield* Deferred.succeed(command.end, { _tag: "Stopped" })
      return yield* Deferred.await(command.over)
    })
  }
})
