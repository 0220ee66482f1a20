/**
 * `effect-pod log NAME`: what was said and done, for people or as raw entries.
 *
 * A live pod is asked for its entries; the log of one that does not run, or does not answer, is read from disk.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type CliError, ExitCode, failed } from "./CliError.ts"
import * as Client from "./Client.ts"
import { openLog } from "./DiskLog.ts"
import { storageError } from "./Failures.ts"
import type { Command } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import { Transcript } from "./Transcript.ts"
import * as Values from "./Values.ts"

/** Entries of one request. */
const page = 500

interface Range {
  readonly from: number
  readonly limit: number | undefined
}

const sliceOf = ({ from, limit }: Range, total: number): readonly [number, number] => [
  Math.min(from, total),
  limit === undefined ? total : Math.min(total, from + limit)
]

const fromDisk = (machine: Machine.Machine, name: string, range: Range) =>
  Effect.gen(function* () {
    const metadata = Option.getOrUndefined(yield* Effect.mapError(machine.pods.get(name), storageError))
    if (metadata === undefined) return yield* Machine.unknownPod(machine, name)
    const { active } = metadata
    if (active?.segment_id === undefined) return { entries: Stream.empty, cwd: metadata.cwd }
    const log = yield* Effect.mapError(
      openLog(machine, { sessionId: active.session_id, segmentId: active.segment_id }),
      storageError
    )
    return { entries: log.entries(...sliceOf(range, log.total)).pipe(Stream.mapError(storageError)), cwd: metadata.cwd }
  })

const fromPod = (client: Client.Client, range: Range) => {
  const [from, to] = sliceOf(range, client.snapshot.total ?? 0)
  type Page = readonly [ReadonlyArray<ReadonlyArray<string>>, Option.Option<number>]
  const entries = Stream.paginate(
    from,
    Effect.fnUntraced(function* (at: number): Effect.fn.Return<Page, CliError> {
      if (at >= to) return [[], Option.none()]
      const reply = yield* Effect.mapError(
        client.request("read_entries", { from: at, limit: Math.min(page, to - at) }),
        (error) => failed(error.message, error._tag === "Refused" ? error.hint : undefined)
      )
      const found = (reply as { readonly entries: ReadonlyArray<Schema.Json> }).entries
      const next = at + found.length
      return [[found.map((entry) => JSON.stringify(entry))], found.length === 0 ? Option.none() : Option.some(next)]
    })
  )
  return { entries, cwd: client.snapshot.greeting.cwd }
}

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, positionals, terminal }) {
    const name = yield* Values.podName(positionals[0] ?? "")
    const range = {
      from: (yield* Values.count(flags, "from", 0)) ?? 0,
      limit: yield* Values.count(flags, "limit", 1)
    }
    const machine = yield* Machine.make(env)
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const owner = yield* machine.owner(name)
        const client =
          owner === undefined
            ? undefined
            : yield* Effect.option(
                Client.connect(owner.socket ?? machine.socketPath(name), {
                  tail: 0,
                  timeout: "2 seconds",
                  lines: false
                })
              )
        const log: {
          readonly entries: Stream.Stream<ReadonlyArray<string>, CliError>
          readonly cwd: string | undefined
        } =
          client !== undefined && Option.isSome(client)
            ? fromPod(client.value, range)
            : yield* fromDisk(machine, name, range)
        const transcript = new Transcript({
          color: terminal.color.out,
          columns: terminal.columns(),
          cwd: log.cwd,
          times: true,
          thinking: true
        })
        const show =
          flags["json"] === true
            ? (text: string) => `${text}\n`
            : (text: string) => transcript.render(JSON.parse(text) as Schema.Json)
        yield* log.entries.pipe(
          Stream.takeWhile(() => !terminal.outClosed()),
          Stream.runForEach((texts) => terminal.out(texts.map(show).join("")))
        )
        return ExitCode.ok
      })
    )
  })
}
