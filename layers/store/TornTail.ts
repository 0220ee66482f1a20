/**
 * Copies what stands behind the last whole batch of a segment into a side file before it is cut off.
 *
 * The copy is on the disk before this returns. What is committed and what is not, the journal alone knows.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import { StorageError } from "../../src/session/StorageError.ts"
import { syncDirectory } from "./Directory.ts"
import { type OpenFile, openFile } from "./OpenFile.ts"
import { systemError } from "./SystemError.ts"

const { O_APPEND, O_CREAT, O_EXCL, O_RDWR } = Fs.constants
const chunkBytes = 1 << 20

/** Returns the path of the side file: `<segment_id>.torn-<keep>`, with a number behind it if that is taken. */
export const saveTail = Effect.fnUntraced(function* (file: OpenFile, keep: number) {
  const { size } = yield* file.stat
  if (keep < 0 || keep >= size)
    return yield* refused(file, keep, `it has ${size} bytes, so there is no tail behind byte ${keep}`)
  const saved = yield* Effect.scoped(copyTail(file, keep, size))
  yield* syncDirectory(Path.dirname(file.path))
  return saved
})

const copyTail = Effect.fnUntraced(function* (file: OpenFile, keep: number, size: number) {
  const side = yield* freshFile(file.path.replace(/\.jsonl$/, `.torn-${keep}`), 0)
  yield* copyRange(file, keep, size, side)
  yield* side.sync
  return side.path
})

/** Bytes from ≤ i < to, to the end of the other file. Not synced. */
export const copyRange = Effect.fnUntraced(function* (file: OpenFile, from: number, to: number, target: OpenFile) {
  for (let at = from; at < to; at += chunkBytes) {
    const chunk = yield* file.read(at, Math.min(to, at + chunkBytes))
    yield* target.append(chunk, false)
  }
})

/** A new file of that name, with a number behind it if that is taken. */
export const freshFile = (base: string, taken: number): ReturnType<typeof openFile> => {
  const path = taken === 0 ? base : `${base}.${taken}`
  return openFile(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL, systemError("create", path, { EEXIST: "Exists" })).pipe(
    Effect.catchIf(
      (error) => error.reason === "Exists" && taken < 1_000,
      () => freshFile(base, taken + 1)
    )
  )
}

const refused = (file: OpenFile, keep: number, why: string): StorageError =>
  new StorageError({
    reason: "Moved",
    operation: "cut tail",
    path: file.path,
    byte: keep,
    message: `cut tail refused for ${file.path}: ${why}`
  })
