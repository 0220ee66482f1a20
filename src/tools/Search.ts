/**
 * Runs ripgrep over a directory and hands out its records as they come.
 *
 * Every run is bounded in time and in bytes, and ends with the call. Arguments are fixed by the caller: no
 * configuration file is read, no link is followed, and a file that cannot be read never ends a search.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Launcher } from "../runtime/Launcher.ts"
import * as Text from "../scope/Text.ts"
import { failed, fromLaunch, invalid } from "./Failure.ts"
import type { Ripgrep } from "./Ripgrep.ts"
import type { ToolError } from "./Tool.ts"

export interface SearchRequest {
  /** Absolute. Results are relative to it. */
  readonly directory: string
  readonly args: ReadonlyArray<string>
  /** The byte that ends a record. */
  readonly separator: number
  /** What has to be known before a record is delivered, if there is anything. */
  readonly before?: (record: Uint8Array, isWhole: boolean) => Effect.Effect<void> | undefined
  /** Of a longer record only the beginning is delivered, with `isWhole` false. */
  readonly onRecord: (record: Uint8Array, isWhole: boolean) => void
}

export interface SearchEnd {
  /** `time` and `bytes`: the search was stopped, and there may be more. */
  readonly stopped: "end" | "time" | "bytes"
  /** Something could not be read and was skipped. */
  readonly hasSkipped: boolean
}

export type Search = (request: SearchRequest) => Effect.Effect<SearchEnd, ToolError>

const always = ["--no-config", "--no-messages", "--no-follow", "--color=never"]

const timeLimit = Duration.seconds(30)
const maxOutputBytes = 256 * 1024 * 1024
const maxRecordBytes = 1024 * 1024
const maxComplaintBytes = 2000

interface SearchRecord {
  readonly bytes: Uint8Array
  readonly isWhole: boolean
}

const deliver = (request: SearchRequest, records: ReadonlyArray<SearchRecord>): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const { bytes, isWhole } of records) {
      const before = request.before?.(bytes, isWhole)
      if (before !== undefined) yield* before
      request.onRecord(bytes, isWhole)
    }
  })

/** Collects bytes into records; what lies beyond the bound of a record is dropped as it comes. */
const makeSplitter = (separator: number) => {
  let records: Array<SearchRecord> = []
  let parts: Array<Uint8Array> = []
  let length = 0
  let kept = 0

  const add = (part: Uint8Array) => {
    length += part.length
    if (part.length === 0 || kept >= maxRecordBytes) return
    const fitting = part.subarray(0, maxRecordBytes - kept)
    parts.push(fitting)
    kept += fitting.length
  }
  const joined = (): Uint8Array => {
    if (parts.length === 1) return parts[0] as Uint8Array
    const record = new Uint8Array(kept)
    let at = 0
    for (const part of parts) {
      record.set(part, at)
      at += part.length
    }
    return record
  }
  const flush = () => {
    records.push({ bytes: joined(), isWhole: length === kept })
    parts = []
    length = 0
    kept = 0
  }
  return {
    push: (chunk: Uint8Array) => {
      for (let position = 0; position < chunk.length; ) {
        const end = chunk.indexOf(separator, position)
        add(chunk.subarray(position, end < 0 ? chunk.length : end))
        if (end < 0) return
        flush()
        position = end + 1
      }
    },
    finish: () => {
      if (length > 0) flush()
    },
    /** What is complete and was not taken before. */
    take: (): ReadonlyArray<SearchRecord> => {
      const taken = records
      records = []
      return taken
    }
  }
}

export const make = (options: {
  readonly launcher: Launcher["Service"]
  readonly ripgrep: Ripgrep["Service"]
  readonly env: Readonly<Record<string, string>>
}): Search =>
  Effect.fn("Search.run")(function* (request: SearchRequest): Effect.fn.Return<SearchEnd, ToolError, Scope.Scope> {
    const process = yield* Effect.mapError(
      options.launcher.start({
        command: yield* options.ripgrep.path,
        args: [...always, ...request.args],
        cwd: request.directory,
        env: options.env
      }),
      fromLaunch
    )
    const splitter = makeSplitter(request.separator)
    let bytes = 0
    let beginning = ""
    const reading = process.output.pipe(
      Stream.takeUntilEffect((chunk) => {
        if (beginning.length < maxComplaintBytes) beginning += Text.decodeLossy(chunk.subarray(0, maxComplaintBytes))
        bytes += chunk.length
        // ripgrep complains on the same pipe, but only before it has found anything: then it has not searched at all.
        if (!beginning.startsWith("rg: ")) splitter.push(chunk)
        return Effect.as(deliver(request, splitter.take()), bytes > maxOutputBytes)
      }),
      Stream.runDrain
    )
    const outcome = yield* Effect.timeoutOption(
      Effect.andThen(
        reading,
        Effect.suspend(() => (bytes > maxOutputBytes ? Effect.succeedNone : Effect.asSome(process.exit)))
      ),
      timeLimit
    )
    if (beginning.startsWith("rg: ")) return yield* invalid(beginning.slice("rg: ".length).trim())
    const exit = Option.flatten(outcome)
    if (Option.isNone(exit)) return { stopped: bytes > maxOutputBytes ? "bytes" : "time", hasSkipped: false }
    if (exit.value._tag === "Signal" || exit.value.code > 2) {
      return yield* failed(
        "The search program ended in the middle, so that nothing is known. Search a smaller directory."
      )
    }
    splitter.finish()
    yield* deliver(request, splitter.take())
    return { stopped: "end", hasSkipped: exit.value.code === 2 }
  }, Effect.scoped)
