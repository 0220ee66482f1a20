/** `effect-pod export NAME [FILE]`: the log of a pod as one portable file, without secrets. Changes nothing of the pod. */
import { open, rm } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { describeSystemError, systemCode, systemHint } from "../../layers/store/SystemError.ts"
import { Media } from "../protocol/Media.ts"
import { formatVersion } from "../protocol/PodRecord.ts"
import * as Ids from "../runtime/Ids.ts"
import { type CliError, ExitCode, failed } from "./CliError.ts"
import type { Command, Invocation } from "./Invocation.ts"
import * as LogSource from "./LogSource.ts"
import * as Machine from "./Machine.ts"
import { type Header, nativeEntry, portableVersion, seedEntry, seedOpening } from "./Portable.ts"
import * as Redact from "./Redact.ts"
import { plural } from "./Text.ts"
import type { Terminal } from "./Terminal.ts"
import * as Values from "./Values.ts"

type Entry = Readonly<Record<string, Schema.Json>>
type Write = (text: string) => Effect.Effect<void, CliError>

/** The file stands still where a live pod may take entries back; only a pod that keeps nothing has no file. */
const sourceOf = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  name: string
): Effect.fn.Return<LogSource.LogSource, CliError, Scope.Scope> {
  const stored = yield* Effect.orElseSucceed(machine.pods.get(name), () => Option.none())
  if (Option.isSome(stored)) return yield* LogSource.fromDisk(machine, name)
  return yield* LogSource.open(machine, name)
})

const nextStep = (path: string, code: string | undefined): string | undefined => {
  if (code === "EEXIST") return "name a file that is not there yet"
  return code === "ENOENT" || code === "ENOTDIR"
    ? `${dirname(path)} is not a directory: make it first, or name a file in one that is there`
    : systemHint(code)
}

/** A new file that nobody else can read; nothing is left of it if the export fails. */
const newFile = (path: string): Effect.Effect<Write, CliError, Scope.Scope> => {
  const fail = (cause: unknown) =>
    failed(`${path} cannot be written: ${describeSystemError(cause)}`, nextStep(path, systemCode(cause)))
  return Effect.map(
    Effect.acquireRelease(Effect.tryPromise({ try: () => open(path, "wx", 0o600), catch: fail }), (handle, exit) =>
      Effect.promise(async () => {
        await handle.close()
        if (exit._tag === "Failure") await rm(path, { force: true })
      })
    ),
    (handle) => (text) => Effect.tryPromise({ try: () => handle.writeFile(text), catch: fail })
  )
}

/** A part of the file is none: whoever does not read to the end has not got it. */
const toReader =
  (terminal: Terminal): Write =>
  (text) =>
    Effect.flatMap(terminal.out(text), () =>
      terminal.outClosed() ? failed("stdout was closed before all of the log was written") : Effect.void
    )

const entriesOf = (source: LogSource.LogSource): Stream.Stream<ReadonlyArray<Entry>, CliError> =>
  Stream.map(source.entries(0, source.total), (texts) => texts.map((text) => JSON.parse(text) as Entry))

const isMedia = Schema.is(Schema.Array(Media))

/** Bytes in base64 may look like a key by chance. Without a part of them the image would be none. */
const clean = (redactor: Redact.Redactor, { media, ...entry }: Entry): Schema.Json => {
  if (media === undefined) return redactor.clean(entry)
  if (!isMedia(media)) return redactor.clean({ ...entry, media })
  const shown = media.map(({ data, ...about }) => ({ ...(redactor.clean(about) as Entry), data }))
  return { ...(redactor.clean(entry) as Entry), media: shown }
}

const native = Effect.fnUntraced(function* (
  name: string,
  source: LogSource.LogSource,
  write: Write,
  redactor: Redact.Redactor
) {
  const header: Header = {
    export: "effect-pod",
    version: portableVersion,
    format: "native",
    name,
    log_format: formatVersion,
    entries: source.total,
    ts: yield* Clock.currentTimeMillis,
    ...(source.cwd === undefined ? {} : { cwd: source.cwd })
  }
  yield* write(`${JSON.stringify(redactor.clean(header))}\n`)
  let written = 0
  yield* Stream.runForEach(entriesOf(source), (entries) => {
    written += entries.length
    return write(entries.map((entry) => `${JSON.stringify(clean(redactor, nativeEntry(entry)))}\n`).join(""))
  })
  return written
})

const isScope = ({ domain, kind }: Entry): boolean => kind === "extension" && domain === "pod.scope"

const seed = Effect.fnUntraced(function* (
  sessionId: string,
  source: LogSource.LogSource,
  write: Write,
  redactor: Redact.Redactor
) {
  const has = { start: false, scope: false }
  let ts = 0
  let written = 0
  yield* Stream.runForEach(entriesOf(source), (entries) =>
    Effect.sync(() => {
      if (written === 0) {
        has.start = entries[0]?.["kind"] === "segment_start"
        ts = Number(entries[0]?.["ts"] ?? 0)
      }
      has.scope ||= entries.some(isScope)
      written += entries.length
    })
  )
  const opening = seedOpening(sessionId, ts, has)
  let at = 0
  yield* Stream.runForEach(entriesOf(source), (entries) => {
    // The scope stands behind the start.
    const lines = entries.flatMap((entry) => {
      at += 1
      if (at > 1) return [entry]
      return has.start ? [entry, ...opening] : [...opening, entry]
    })
    return write(lines.map((entry) => `${JSON.stringify(redactor.clean(seedEntry(entry)))}\n`).join(""))
  })
  return written
})

const exported = Effect.fnUntraced(function* (
  { env, flags, positionals, terminal, cwd }: Invocation,
  name: string
): Effect.fn.Return<ExitCode, CliError, Scope.Scope> {
  const machine = yield* Machine.make(env)
  const source = yield* sourceOf(machine, name)
  if (source.total === 0) {
    return yield* failed(`${name} has no log yet: there is nothing to export`)
  }
  const given = positionals[1]
  const path = given === undefined || given === "-" ? undefined : resolve(cwd, given)
  const write: Write = path === undefined ? toReader(terminal) : yield* newFile(path)
  const redactor = Redact.make(env)
  const stored = Option.flatten(yield* Effect.option(machine.pods.get(name)))
  const sessionId = Option.getOrUndefined(stored)?.active?.session_id ?? (yield* Ids.uuid)
  const written =
    flags["format"] === "seed"
      ? yield* seed(sessionId, source, write, redactor)
      : yield* native(name, source, write, redactor)
  if (written !== source.total) {
    return yield* failed(`the log of ${name} changed while it was read`, "try again when the current run has ended")
  }
  yield* terminal.err(
    `exported ${plural(written, "entry", "entries")} of ${name}${path === undefined ? "" : ` to ${path}`}; ` +
      `${plural(redactor.count(), "secret")} redacted\n`
  )
  return ExitCode.ok
})

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* (invocation) {
    const name = yield* Values.podName(invocation.positionals[0] ?? "")
    return yield* Effect.scoped(exported(invocation, name))
  })
}
