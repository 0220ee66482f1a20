/**
 * One open file descriptor that is only appended to.
 *
 * An operation that the system has begun is waited for, also by an interrupted fiber and by the close: a number of a
 * closed descriptor is soon another file's. It calls `node:fs` with callbacks because a promise per call costs 50 µs
 * of a synced append of 350.
 */
import * as Fs from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { StorageError } from "../../src/session/StorageError.ts"
import { systemError } from "./SystemError.ts"

/** The longest single read. */
const chunkBytes = 1 << 20

export interface OpenFile {
  readonly path: string
  readonly stat: Effect.Effect<{ readonly size: number; readonly inode: number }, StorageError>
  /** Every byte, in as many writes as the system needs; an error with `operation` "sync" came after the last write. */
  readonly append: (bytes: Uint8Array, sync: boolean) => Effect.Effect<void, StorageError>
  /** Bytes `from` ≤ i < `to`; shorter at the end of the file. */
  readonly read: (from: number, to: number) => Effect.Effect<Uint8Array, StorageError>
  readonly truncate: (size: number) => Effect.Effect<void, StorageError>
  readonly sync: Effect.Effect<void, StorageError>
}

type Done<A> = (cause: unknown, value: A, operation?: string) => void

/** `onError` names the reasons that ENOENT and EEXIST have here. */
export const openFile = (
  path: string,
  flags: number,
  onError: (cause: unknown) => StorageError
): Effect.Effect<OpenFile, StorageError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Descriptor, StorageError>((resume) => {
        Fs.open(path, flags, 0o600, (cause, fd) => {
          resume(cause === null ? Effect.succeed(new Descriptor(fd)) : Effect.fail(onError(cause)))
        })
      }),
      (descriptor) => descriptor.close
    ),
    (descriptor) => make(path, descriptor)
  )

/** Counts what the system is doing with the number, so that it is given back only when nothing is. */
class Descriptor {
  readonly fd: number
  closed = false
  private pending = 0
  private whenIdle: (() => void) | undefined

  constructor(fd: number) {
    this.fd = fd
  }

  begin(): void {
    this.pending += 1
  }

  end(): void {
    this.pending -= 1
    if (this.pending === 0) this.whenIdle?.()
  }

  readonly close = Effect.callback<void>((resume) => {
    this.closed = true
    const close = () => Fs.close(this.fd, () => resume(Effect.void))
    if (this.pending === 0) close()
    else this.whenIdle = close
  })
}

const make = (path: string, descriptor: Descriptor): OpenFile => {
  const { fd } = descriptor

  const call = <A>(operation: string, run: (done: Done<A>) => void): Effect.Effect<A, StorageError> =>
    Effect.uninterruptible(
      Effect.callback<A, StorageError>((resume) => {
        if (descriptor.closed) return resume(Effect.fail(closedError(operation, path)))
        descriptor.begin()
        run((cause, value, failed) => {
          descriptor.end()
          resume(
            cause === null || cause === undefined
              ? Effect.succeed(value)
              : Effect.fail(systemError(failed ?? operation, path)(cause))
          )
        })
      })
    )

  const readInto = (buffer: Uint8Array, offset: number, position: number) =>
    call<number>("read", (done) =>
      Fs.read(fd, buffer, offset, Math.min(buffer.length - offset, chunkBytes), position, (cause, count) =>
        done(cause, count)
      )
    )

  // fstat of an open file asks no disk: 2 µs here, 40 by way of the thread pool.
  const stat = Effect.suspend(() => {
    if (descriptor.closed) return Effect.fail(closedError("stat", path))
    try {
      const { ino, size } = Fs.fstatSync(fd)
      return Effect.succeed({ size, inode: ino })
    } catch (cause) {
      return Effect.fail(systemError("stat", path)(cause))
    }
  })

  return {
    path,
    stat,
    append: (bytes, sync) =>
      call<void>("append", (done) => {
        const finish = () =>
          sync ? Fs.fdatasync(fd, (cause) => done(cause, undefined, "sync")) : done(null, undefined)
        const writeFrom = (offset: number): void => {
          if (offset >= bytes.length) return finish()
          Fs.write(fd, bytes, offset, bytes.length - offset, null, (cause, count) =>
            cause === null && count > 0 ? writeFrom(offset + count) : done(cause ?? wroteNothing, undefined)
          )
        }
        writeFrom(0)
      }),
    read: Effect.fnUntraced(function* (from, to) {
      const { size } = yield* stat
      const end = Math.min(to, size)
      if (end <= from) return new Uint8Array(0)
      const buffer = new Uint8Array(end - from)
      let filled = 0
      while (filled < buffer.length) {
        const count = yield* readInto(buffer, filled, from + filled)
        if (count === 0) return buffer.slice(0, filled)
        filled += count
      }
      return buffer
    }),
    truncate: (size) => call<void>("truncate", (done) => Fs.ftruncate(fd, size, (cause) => done(cause, undefined))),
    sync: call<void>("sync", (done) => Fs.fdatasync(fd, (cause) => done(cause, undefined)))
  }
}

const wroteNothing = new Error("the system took no bytes and gave no reason")

const closedError = (operation: string, path: string): StorageError =>
  new StorageError({
    reason: "Io",
    operation,
    path,
    message: `${operation} failed for ${path}: it is closed, because the scope in which it was opened has ended`
  })
