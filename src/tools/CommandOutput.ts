/**
 * What a command writes: whole if it is short, else its head and tail, with the whole of it in a file.
 *
 * Memory is bounded whatever the command writes, and so is the disk: over the quota the command is to be ended. The
 * file is made only when the output turns out to be long.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Lexical from "../scope/Lexical.ts"
import { describe } from "../scope/Resolve.ts"
import * as Text from "../scope/Text.ts"

export interface OutputLimits {
  /** Output up to this size is returned whole and kept nowhere. */
  readonly inlineBytes: number
  readonly inlineLines: number
  /** Bytes of one command's output that are kept on disk. */
  readonly quotaBytes: number
}

export const defaultLimits: OutputLimits = {
  inlineBytes: 12 * 1024,
  inlineLines: 80,
  quotaBytes: 64 * 1024 * 1024
}

const headLines = 20
const headBytes = 4 * 1024
const tailLines = 60
const tailBytes = 8 * 1024

export interface CommandOutput {
  /** False when the quota is reached: nothing more is kept. */
  readonly push: (chunk: Uint8Array) => Effect.Effect<boolean>
  /** What the model gets. */
  readonly finish: Effect.Effect<{
    readonly content: string
    readonly outputPath?: string
    readonly truncated: boolean
  }>
}

const LF = 10

/** Where the first `lines` lines end, at most `bytes` on. */
const headEnd = (data: Uint8Array, lines: number, bytes: number): number => {
  let end = 0
  for (let count = 0; count < lines; count++) {
    const next = data.indexOf(LF, end)
    if (next < 0 || next + 1 > bytes) return end > 0 ? end : Text.boundaryBefore(data, bytes)
    end = next + 1
  }
  return end
}

/** Where the last `lines` lines begin, at most `bytes` before the end. */
const tailStart = (data: Uint8Array, lines: number, bytes: number): number => {
  const earliest = Math.max(0, data.length - bytes)
  let start = data.length
  for (let count = 0; count < lines && start > 0; count++) {
    // The newline at `start - 1` ends the line above, or the output.
    const newline = start < 2 ? -1 : data.lastIndexOf(LF, start - 2)
    if (newline + 1 < earliest) return start < data.length ? start : Text.boundaryAfter(data, earliest)
    start = newline + 1
  }
  return start
}

/** Room for what `tailOf` gives, in bytes. */
export const tailRoom = 2 * tailBytes

/** Room for what `headOf` gives, in bytes. */
export const headRoom = headBytes

/** The first lines, as many as are shown of long output. */
export const headOf = (data: Uint8Array): Uint8Array => data.slice(0, headEnd(data, headLines, headBytes))

/** The last lines, as many as are shown of long output. */
export const tailOf = (data: Uint8Array): Uint8Array => data.subarray(tailStart(data, tailLines, tailBytes))

/** Both with what was left out between them. */
export const joined = (head: Uint8Array, left: number, tail: Uint8Array): string =>
  [
    Text.decodeLossy(head),
    ...(left > 0 ? [`${head[head.length - 1] === LF ? "" : "\n"}[... ${left} bytes left out ...]\n`] : []),
    Text.decodeLossy(tail)
  ].join("")

const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const countLines = (chunk: Uint8Array): number => {
  let count = 0
  for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) count++
  return count
}

export interface OutputFile {
  readonly path: string
  /** Open for writing, and for reading at a position. */
  readonly file: FileSystem.File
}

/** A new file in `directory`, which is made if it is missing. It stays when the Scope closes, unless that fails. */
export const makeFile = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  directory: string
): Effect.fn.Return<OutputFile, PlatformError, Scope.Scope> {
  const unique = yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)
  const path = Lexical.join(directory, `bash-${unique.toString(36)}.log`)
  yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
  const file = yield* Effect.acquireRelease(fs.open(path, { flag: "wx+", mode: 0o600 }), (_, exit) =>
    Exit.isSuccess(exit) ? Effect.void : Effect.ignore(fs.remove(path, { force: true }))
  )
  return { path, file }
})

/**
 * The file lives in `directory`, which is made if it is missing. It stays when the Scope closes, unless that fails:
 * nobody has been told of it then.
 */
export const make = Effect.fnUntraced(function* (options: {
  readonly fs: FileSystem.FileSystem
  readonly directory: string
  readonly limits: OutputLimits
}): Effect.fn.Return<CommandOutput, never, Scope.Scope> {
  const { fs, limits } = options
  const scope = yield* Effect.scope
  /** Everything, until it is too much to be returned whole. */
  let inline: Array<Uint8Array> = []
  let head: Uint8Array | undefined
  let tail = new Uint8Array()
  let bytes = 0
  let newlines = 0
  let last = LF
  let spill: OutputFile | undefined
  let trouble: string | undefined

  const open = Scope.provide(makeFile(fs, options.directory), scope)

  const keep = Effect.fnUntraced(function* (chunk: Uint8Array) {
    tail = concat([tail, chunk]).slice(-tailRoom)
    if (trouble !== undefined) return
    const written = yield* Effect.result(
      Effect.gen(function* () {
        spill ??= yield* open
        yield* spill.file.writeAll(chunk)
      })
    )
    if (written._tag === "Failure") trouble = describe(written.failure)
  })

  const push = Effect.fnUntraced(function* (chunk: Uint8Array) {
    const room = limits.quotaBytes - bytes
    const taken = chunk.length > room ? chunk.subarray(0, Math.max(0, room)) : chunk
    if (taken.length > 0) {
      bytes += taken.length
      newlines += countLines(taken)
      last = taken[taken.length - 1] as number
      if (head !== undefined) yield* keep(taken)
      else {
        inline.push(taken)
        if (bytes > limits.inlineBytes || lines() > limits.inlineLines) {
          const all = concat(inline)
          inline = []
          head = headOf(all)
          yield* keep(all)
        }
      }
    }
    return taken.length === chunk.length
  })

  const lines = () => newlines + (last === LF ? 0 : 1)

  const finish = Effect.sync(() => {
    if (head === undefined) return { content: Text.decodeLossy(concat(inline)), truncated: false }
    // What the head shows is not shown again.
    const unseen = tail.subarray(Math.max(0, Math.min(tail.length, tail.length - (bytes - head.length))))
    const end = tailOf(unseen)
    const left = bytes - head.length - end.length
    const where =
      spill === undefined || trouble !== undefined
        ? `it could not be kept in a file: ${trouble ?? "nothing was written"}`
        : `all of it is in ${spill.path}`
    return {
      content: `[${lines()} lines, ${bytes} bytes of output; ${where}]\n${joined(head, left, end)}`,
      truncated: true,
      ...(spill === undefined || trouble !== undefined ? {} : { outputPath: spill.path })
    }
  })

  return { push, finish }
})
