/**
 * Runs ripgrep over a directory and hands out its records as they come.
 *
 * Where commands can be fenced, ripgrep is too: it sees what may be read, and nothing else. Every run is bounded in time
 * and in bytes, and ends with the call. Arguments are fixed by the caller: no configuration file is read, no link is
 * followed, and a file that cannot be read never ends a search.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ScopeRules } from "../protocol/ScopeRule.ts"
import type { Launcher } from "../runtime/Launcher.ts"
import type { Fence } from "../runtime/Sandbox.ts"
import * as Lexical from "../scope/Lexical.ts"
import * as Text from "../scope/Text.ts"
import { failed, fromLaunch, fromSandbox, invalid } from "./Failure.ts"
import type { IgnoreFiles } from "./IgnoreFiles.ts"
import type { Ripgrep } from "./Ripgrep.ts"
import type { ToolError } from "./Tool.ts"

/** The directory of a search. Results are relative to it. */
export interface Place {
  readonly real: string
  /** A path of that very directory, wherever its names lead meanwhile. */
  readonly here: string
  /** What may be read, with real paths. */
  readonly rules: ScopeRules
}

export interface SearchRequest {
  readonly place: Place
  readonly args: ReadonlyArray<string>
  /** Those that ripgrep is to follow; without them it follows none. */
  readonly ignoreFiles: IgnoreFiles | undefined
  /** Of ripgrep's output. Default: 256 MiB. Time is a limit always. */
  readonly maxBytes?: number
  /** The byte that ends a record. */
  readonly separator: number
  /** What has to be known before a record is delivered, if there is anything. */
  readonly before?: (record: Uint8Array, isWhole: boolean) => Effect.Effect<void> | undefined
  /** Of a longer record only the beginning is delivered, with `isWhole` false. */
  readonly onRecord: (record: Uint8Array, isWhole: boolean) => void
}

export interface SearchEnd {
  /**
   * `time` and `bytes`: the search was stopped, and there may be more. `ignore`: an ignore file cannot be followed, and
   * what was delivered is worth nothing.
   */
  readonly stopped: "end" | "time" | "bytes" | "ignore"
  /** Something could not be read and was skipped. */
  readonly hasSkipped: boolean
  /** Directories that may be read and were not searched. */
  readonly unseen: ReadonlyArray<string>
  /** The ignore file, in words. */
  readonly badIgnoreFile?: string
}

export type Search = (request: SearchRequest) => Effect.Effect<SearchEnd, ToolError>

/** The last bounds memory: the default is 1 GB. */
const always = ["--no-config", "--no-messages", "--no-follow", "--color=never", "--dfa-size-limit=128M"]

/** What a repository says of itself elsewhere, and the user's own. */
const alwaysIgnored = ["--no-ignore-exclude", "--no-ignore-global"]

const timeLimit = Duration.seconds(30)
const defaultMaxBytes = 256 * 1024 * 1024
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

/** What ripgrep says instead of results: those begin with one of these. */
const complaint = (beginning: string): string | undefined =>
  beginning === "" || beginning.startsWith("./") || beginning.startsWith("{") ? undefined : beginning.trim()

const refusal = (words: string): ToolError =>
  words.startsWith("rg: ")
    ? invalid(words.slice("rg: ".length))
    : failed(`The search could not be run: ${words}. Search another directory, or look with Read.`)

export const make = (options: {
  readonly launcher: Launcher["Service"]
  readonly ripgrep: Ripgrep["Service"]
  readonly fence: Fence
  readonly env: Readonly<Record<string, string>>
}): Search =>
  Effect.fn("Search.run")(function* (request: SearchRequest): Effect.fn.Return<SearchEnd, ToolError, Scope.Scope> {
    const { ignoreFiles, maxBytes = defaultMaxBytes, place } = request
    const spec = { command: yield* options.ripgrep.path, args: request.args, cwd: place.real, env: options.env }
    const ignoring = ignoreFiles === undefined ? ["--no-ignore"] : alwaysIgnored
    const args = [...always, ...ignoring, ...request.args]
    const fenced = yield* Effect.mapError(options.fence.wrapReader({ ...spec, args }, place.rules), fromSandbox)
    const bare = Effect.gen(function* () {
      const hasForeign = ignoreFiles !== undefined && (yield* ignoreFiles.hasForeign)
      return { ...spec, cwd: place.here, args: hasForeign ? ["--no-ignore-parent", ...args] : args }
    })
    const looking = yield* Effect.forkScoped(
      ignoreFiles?.findBad({ isFenced: fenced !== undefined }) ?? Effect.undefined,
      { startImmediately: true }
    )
    const process = yield* Effect.mapError(options.launcher.start(fenced?.spec ?? (yield* bare)), fromLaunch)
    const splitter = makeSplitter(request.separator)
    let bytes = 0
    let beginning = ""
    const reading = process.output.pipe(
      Stream.takeUntilEffect((chunk) => {
        if (beginning.length < maxComplaintBytes) beginning += Text.decodeLossy(chunk.subarray(0, maxComplaintBytes))
        bytes += chunk.length
        // Complaints come on the same pipe, but only before anything is found: then nothing was searched at all.
        if (complaint(beginning) === undefined) splitter.push(chunk)
        return Effect.as(deliver(request, splitter.take()), bytes > maxBytes)
      }),
      Stream.runDrain
    )
    const searched = Effect.gen(function* () {
      yield* reading
      if (bytes > maxBytes) return undefined
      const exit = yield* process.exit
      // Without a fence it has to be known that none led outside.
      const bad = fenced === undefined ? yield* Fiber.join(looking) : undefined
      return { exit, bad }
    })
    const bad = Effect.flatMap(Fiber.join(looking), (path) =>
      path === undefined ? Effect.never : Effect.succeed({ exit: undefined, bad: path })
    )
    const outcome = yield* Effect.timeoutOption(Effect.raceFirst(searched, bad), timeLimit)
    const unseen = (fenced?.unseen ?? []).filter((path) => Lexical.isWithin(path, place.real))
    const found = Option.getOrUndefined(outcome)
    if (found?.bad !== undefined) return { stopped: "ignore", hasSkipped: false, unseen, badIgnoreFile: found.bad }
    const words = complaint(beginning)
    if (words !== undefined) return yield* refusal(words)
    if (found?.exit === undefined) {
      return { stopped: bytes > maxBytes ? "bytes" : "time", hasSkipped: false, unseen }
    }
    const { exit } = found
    if (exit._tag === "Signal" || exit.code > 2) {
      return yield* failed(
        "The search program ended in the middle, so that nothing is known. Search a smaller directory."
      )
    }
    splitter.finish()
    yield* deliver(request, splitter.take())
    return { stopped: "end", hasSkipped: exit.code === 2, unseen }
  }, Effect.scoped)
