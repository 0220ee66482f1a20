/**
 * One open file that is only appended to. One that is hardly read any more gives its descriptor back, and is opened
 * again for each operation.
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

const { O_CREAT, O_EXCL } = Fs.constants
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
  /**
   * Gives the descriptor back when nothing uses it any more. What is done with the file from now on opens it by its name
   * for as long as it takes, and fails with `Moved` where that leads to another one. One without its name stays open.
   */
  readonly retire: Effect.Effect<void>
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
      (descriptor) =>
        Effect.callback<void>((resume) => {
          descriptor.isOver = true
          descriptor.close(() => resume(Effect.void))
        })
    ),
    (descriptor) => make(path, flags & ~(O_CREAT | O_EXCL), descriptor)
  )

/** Counts what the system is doing with the number, so that it is given back only when nothing is. */
class Descriptor {
  readonly fd: number
  /** The number is not to be used any more. */
  closed = false
  /** The scope of the file has ended. */
  isOver = false
  private pending = 0
  private readonly whenIdle: Array<() => void> = []

  constructor(fd: number) {
    this.fd = fd
  }

  begin(): void {
    this.pending += 1
  }

  end(): void {
    this.pending -= 1
    if (this.pending > 0) return
    for (const then of this.whenIdle.splice(0)) then()
  }

  close(done: () => void): void {
    const close = this.closed ? done : () => Fs.close(this.fd, done)
    this.closed = true
    if (this.pending === 0) close()
    else this.whenIdle.push(close)
  }
}

/** Numbers of files are given again. When a file was made says which one it is. */
const identityOf = ({ birthtimeMs, ino }: Fs.Stats): string => `${ino} ${birthtimeMs}`

const lost = { ENOENT: "Moved" } as const

/** `flags` open it again. */
const make = (path: string, flags: number, descriptor: Descriptor): OpenFile => {
  const { fd } = descriptor
  /** Of a file that has given its descriptor back. */
  let identity = ""

  /** Exactly one of both is called, with a descriptor that has to be given back. */
  const borrow = (
    operation: string,
    use: (fd: number, giveBack: (then: () => void) => void) => void,
    refuse: (error: StorageError) => void
  ): void => {
    if (descriptor.isOver) return refuse(closedError(operation, path))
    if (!descriptor.closed) {
      descriptor.begin()
      return use(fd, (then) => {
        descriptor.end()
        then()
      })
    }
    Fs.open(path, flags, (cause, again) => {
      if (cause !== null) return refuse(systemError(operation, path, lost)(cause))
      const giveBack = (then: () => void) => Fs.close(again, then)
      Fs.fstat(again, (failed, stats) => {
        if (failed === null && identityOf(stats) === identity) return use(again, giveBack)
        giveBack(() => refuse(failed === null ? replaced(operation, path) : systemError(operation, path)(failed)))
      })
    })
  }

  const call = <A>(operation: string, run: (fd: number, done: Done<A>) => void): Effect.Effect<A, StorageError> =>
    Effect.uninterruptible(
      Effect.callback<A, StorageError>((resume) => {
        borrow(
          operation,
          (borrowed, giveBack) =>
            run(borrowed, (cause, value, failed) => {
              giveBack(() =>
                resume(
                  cause === null || cause === undefined
                    ? Effect.succeed(value)
                    : Effect.fail(systemError(failed ?? operation, path)(cause))
                )
              )
            }),
          (error) => resume(Effect.fail(error))
        )
      })
    )

  const readInto = (buffer: Uint8Array, offset: number, position: number) =>
    call<number>("read", (borrowed, done) =>
      Fs.read(borrowed, buffer, offset, Math.min(buffer.length - offset, chunkBytes), position, (cause, count) =>
        done(cause, count)
      )
    )

  // fstat of an open file asks no disk: 2 µs here, 40 by way of the thread pool.
  const stat = Effect.suspend(() => {
    if (descriptor.isOver) return Effect.fail(closedError("stat", path))
    try {
      const stats = descriptor.closed ? Fs.statSync(path) : Fs.fstatSync(fd)
      if (descriptor.closed && identityOf(stats) !== identity) return Effect.fail(replaced("stat", path))
      return Effect.succeed({ size: stats.size, inode: stats.ino })
    } catch (cause) {
      return Effect.fail(systemError("stat", path, lost)(cause))
    }
  })

  return {
    path,
    stat,
    append: (bytes, sync) =>
      call<void>("append", (borrowed, done) => {
        const finish = () =>
          sync ? Fs.fdatasync(borrowed, (cause) => done(cause, undefined, "sync")) : done(null, undefined)
        const writeFrom = (offset: number): void => {
          if (offset >= bytes.length) return finish()
          Fs.write(borrowed, bytes, offset, bytes.length - offset, null, (cause, count) =>
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
    truncate: (size) =>
      call<void>("truncate", (borrowed, done) => Fs.ftruncate(borrowed, size, (cause) => done(cause, undefined))),
    sync: call<void>("sync", (borrowed, done) => Fs.fdatasync(borrowed, (cause) => done(cause, undefined))),
    retire: Effect.sync(() => {
      if (descriptor.closed) return
      try {
        identity = identityOf(Fs.fstatSync(fd))
        if (identityOf(Fs.statSync(path)) !== identity) return
      } catch {
        return
      }
      descriptor.close(() => {})
    })
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

const replaced = (operation: string, path: string): StorageError =>
  new StorageError({
    reason: "Moved",
    operation,
    path,
    message: `${operation} failed for ${path}: somebody else has removed or replaced this file`,
    hint: "bring the file back from a copy"
  })
