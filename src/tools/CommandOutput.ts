/**
 * What a command writes: whole if it is short, else its head and tail, with the whole of it in a file.
 *
 * Memory is bounded whatever the command writes, and so is the disk: over the quota the command is to be ended. The
 * file is made only when the output turns out to be long.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { describe } from "../scope/Resolve.ts"
import * as Text from "../scope/Text.ts"
import * as OutputFiles from "./OutputFiles.ts"

export interface OutputLimits {
  /** Output up to this size is returned whole and kept nowhere. */
  readonly inlineBytes: number
  readonly inlineLines: number
  /** Bytes that one command may write. */
  readonly quotaBytes: number
  /** Bytes of all output that is kept on disk. */
  readonly totalBytes: number
}

export const defaultLimits: OutputLimits = {
  inlineBytes: 12 * 1024,
  inlineLines: 80,
  quotaBytes: 64 * 1024 * 1024,
  totalBytes: 256 * 1024 * 1024
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
    /** Where the whole of it is, or as much as there was room for. */
    readonly file?: OutputFiles.OutputFile
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

/** The file stays when the Scope closes, unless that fails: nobody has been told of it then. */
export const make = Effect.fnUntraced(function* (options: {
  readonly files: OutputFiles.OutputFiles
  readonly limits: OutputLimits
}): Effect.fn.Return<CommandOutput, never, Scope.Scope> {
  const { files, limits } = options
  const scope = yield* Effect.scope
  /** Everything, until it is too much to be returned whole. */
  let inline: Array<Uint8Array> = []
  let head: Uint8Array | undefined
  let tail = new Uint8Array()
  let bytes = 0
  let newlines = 0
  let last = LF
  let spill: OutputFiles.OutputFile | undefined
  let trouble: string | undefined

  const open = Scope.provide(files.open, scope)

  const keep = Effect.fnUntraced(function* (chunk: Uint8Array) {
    tail = concat([tail, chunk]).slice(-tailRoom)
    if (trouble !== undefined) return
    const written = yield* Effect.result(
      Effect.gen(function* () {
        spill ??= yield* open
        yield* spill.append(chunk)
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

  /** What became of the file, in words, and the file if something is in it. */
  const settle = Effect.gen(function* () {
    if (spill === undefined || trouble !== undefined) {
      return { where: `it could not be kept in a file: ${trouble ?? "nothing was written"}` }
    }
    const dropped = spill.dropped()
    if (dropped === 0) return { file: spill, where: `all of it is in ${spill.path}` }
    const lost = OutputFiles.droppedText(dropped, files)
    if (dropped < bytes) return { file: spill, where: `its beginning is in ${spill.path}, and ${lost}` }
    yield* spill.remove
    return { where: lost }
  })

  const finish = Effect.gen(function* () {
    if (head === undefined) return { content: Text.decodeLossy(concat(inline)), truncated: false }
    // What the head shows is not shown again.
    const unseen = tail.subarray(Math.max(0, Math.min(tail.length, tail.length - (bytes - head.length))))
    const end = tailOf(unseen)
    const left = bytes - head.length - end.length
    const { where, ...kept } = yield* settle
    return {
      content: `[${lines()} lines, ${bytes} bytes of output; ${where}]\n${joined(head, left, end)}`,
      truncated: true,
      ...kept
    }
  })

  return { push, finish }
})
