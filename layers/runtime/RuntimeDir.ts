/**
 * `RuntimeDir` on files: `<runtimeDir>/<name>/` with `pid`, `status.json`, `bash-output/` and `sock`.
 *
 * `open` takes the directory over, so it is for the holder of the lease alone: whatever lies in it then was left by a
 * dead owner. On close it is removed only if it is still the one that was opened, so that a successor's stays.
 */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as FsPromises from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { checkPodName } from "../../src/runtime/PodName.ts"
import { type PodDir, RuntimeDir, RuntimeDirError, type StatusFile } from "../../src/runtime/RuntimeDir.ts"
import { ensurePrivate, runtimeDirError, userId } from "./PrivateDir.ts"

export interface RuntimeDirOptions {
  /** Absolute. */
  readonly runtimeDir: string
  /** False for pods that nobody connects to from outside. */
  readonly socket: boolean
}

export const layer = (options: RuntimeDirOptions): Layer.Layer<RuntimeDir> => Layer.succeed(RuntimeDir, make(options))

/** What the smallest system allows for a socket path, without the closing zero. */
const maxSocketBytes = 103
/** Made by whoever started the process, who may still be reading it. */
const launcherLog = "stderr.log"

/**
 * `<runtimeDir>/<name>/sock`, or, where that is too long for a socket, a hashed name in a private temporary directory.
 * It depends on TMPDIR then: to find a live pod's socket, ask its lease.
 */
export const socketPathOf = (runtimeDir: string, podName: string): string => {
  const plain = Path.join(runtimeDir, podName, "sock")
  if (Buffer.byteLength(plain) <= maxSocketBytes) return plain
  const short = (base: string) =>
    Path.join(
      base,
      `effect-pod-${userId() ?? "user"}`,
      `${Crypto.createHash("sha256").update(plain).digest("hex").slice(0, 16)}.sock`
    )
  const temporary = short(Os.tmpdir())
  return Buffer.byteLength(temporary) <= maxSocketBytes ? temporary : short("/tmp")
}

const make = ({ runtimeDir, socket }: RuntimeDirOptions): RuntimeDir["Service"] => {
  const socketPath = (podName: string) =>
    Effect.as(validName(runtimeDir, podName), socket ? socketPathOf(runtimeDir, podName) : null)

  return {
    socketPath,
    open: Effect.fn("RuntimeDir.open")(function* (podName) {
      const sock = yield* socketPath(podName)
      yield* ensureRuntimeBase(runtimeDir)
      const path = Path.join(runtimeDir, podName)
      if (sock !== null && Path.dirname(sock) !== path) {
        yield* ensurePrivate(Path.dirname(sock), {
          isOurs: (entries) => entries.every((entry) => entry.endsWith(".sock")),
          refuseLink: true
        })
      }
      yield* ensurePrivate(path, { isOurs: () => true, refuseLink: true })
      const claim = yield* Effect.acquireRelease(takeOver(path), (mine, exit) => giveBack(path, sock, mine, exit))
      const writeStatus = statusWriter(path, podName, sock, claim)
      yield* writeStatus({ segmentId: null, state: "restoring" })
      return { path, socketPath: sock, outputDir: Path.join(path, "bash-output"), writeStatus } satisfies PodDir
    })
  }
}

/** The base of all pods' directories. It may be a link: the system or the user has put it there. */
export const ensureRuntimeBase = (runtimeDir: string): Effect.Effect<void, RuntimeDirError> =>
  ensurePrivate(runtimeDir, {
    isOurs: (entries) => entries.length === 0 || entries.includes(".locks"),
    refuseLink: false
  })

const validName = (runtimeDir: string, podName: string): Effect.Effect<string, RuntimeDirError> =>
  Effect.mapError(checkPodName(podName), ({ message }) => new RuntimeDirError({ path: runtimeDir, message }))

/** This directory, and nothing that has come to its path since: while it is open, its inode is nobody else's. */
interface Claim {
  readonly directory: FsPromises.FileHandle
  readonly writing: Semaphore.Semaphore
  closed: boolean
}

const takeOver = (path: string): Effect.Effect<Claim, RuntimeDirError> =>
  Effect.tryPromise({
    try: async () => {
      await clear(path, [launcherLog])
      await FsPromises.writeFile(Path.join(path, "pid"), String(process.pid), { mode: 0o600 })
      await FsPromises.mkdir(Path.join(path, "bash-output"), { mode: 0o700 })
      const directory = await FsPromises.open(path, "r")
      return { directory, writing: Semaphore.makeUnsafe(1), closed: false }
    },
    catch: runtimeDirError("prepare", path)
  })

const giveBack = (path: string, sock: string | null, claim: Claim, exit: Exit.Exit<unknown, unknown>) => {
  // A pod that failed to start is explained by what it printed: whoever started it may read that only now.
  const keep = Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? [launcherLog] : []
  const remove = Effect.tryPromise({
    try: async () => {
      const still = await isStill(path, claim.directory)
      await claim.directory.close()
      if (!still) return
      if (sock !== null) await FsPromises.rm(sock, { force: true })
      const left = await clear(path, keep)
      if (!left) await FsPromises.rmdir(path)
    },
    catch: runtimeDirError("remove", path)
  })
  return claim.writing.withPermit(
    Effect.suspend(() => {
      claim.closed = true
      return Effect.catch(remove, (error) => Effect.logWarning(error.message))
    })
  )
}

const isStill = async (path: string, directory: FsPromises.FileHandle): Promise<boolean> => {
  try {
    const [there, opened] = await Promise.all([FsPromises.lstat(path), directory.stat()])
    const pid = await FsPromises.readFile(Path.join(path, "pid"), "utf8")
    return there.dev === opened.dev && there.ino === opened.ino && pid === String(process.pid)
  } catch {
    return false
  }
}

/** Removes what is in the directory. Links are removed, not followed. True if something of `keep` is left. */
const clear = async (path: string, keep: ReadonlyArray<string>): Promise<boolean> => {
  const entries = await FsPromises.readdir(path)
  const doomed = entries.filter((entry) => !keep.includes(entry))
  await Promise.all(doomed.map((entry) => FsPromises.rm(Path.join(path, entry), { recursive: true, force: true })))
  return doomed.length < entries.length
}

/** Not synced: after a power cut there is no pod that the status could be of. */
const statusWriter = (path: string, podName: string, sock: string | null, claim: Claim): PodDir["writeStatus"] => {
  const file = Path.join(path, "status.json")
  const temporary = Path.join(path, "status.tmp")
  const toError = runtimeDirError("write", file)
  return Effect.fnUntraced(function* ({ segmentId, state }) {
    const status: StatusFile = { pod_name: podName, segment_id: segmentId, state, pid: process.pid, socket: sock }
    const text = JSON.stringify(status)
    const write = Effect.callback<void, RuntimeDirError>((resume) => {
      if (claim.closed) return resume(Effect.void)
      replaceText(file, temporary, text, (cause) => resume(cause ? Effect.fail(toError(cause)) : Effect.void))
    })
    yield* claim.writing.withPermit(Effect.uninterruptible(write))
  })
}

/** With callbacks, as it is done at every change of status: a promise for each step makes it half as slow again. */
const replaceText = (file: string, temporary: string, text: string, done: (cause: Error | null) => void): void =>
  Fs.open(temporary, "w", 0o600, (notOpened, fd) =>
    notOpened !== null
      ? done(notOpened)
      : Fs.write(fd, text, (notWritten) =>
          Fs.close(fd, () => (notWritten !== null ? done(notWritten) : Fs.rename(temporary, file, done)))
        )
  )

/**
 * For pods inside another program, and for tests: no socket, no status file, and a temporary directory for long output.
 * Synchronous, so that a simulated schedule is not disturbed by the disk.
 */
export const layerMemory: Layer.Layer<RuntimeDir> = Layer.succeed(RuntimeDir, {
  socketPath: (podName) => Effect.as(validName(Os.tmpdir(), podName), null),
  open: Effect.fnUntraced(function* (podName) {
    yield* validName(Os.tmpdir(), podName)
    const path = yield* Effect.acquireRelease(makeTemporary, (made) =>
      Effect.ignore(Effect.try(() => Fs.rmSync(made, { recursive: true, force: true })))
    )
    return {
      path,
      socketPath: null,
      outputDir: Path.join(path, "bash-output"),
      writeStatus: () => Effect.void
    }
  })
})

const makeTemporary = Effect.try({
  try: () => {
    const path = Fs.mkdtempSync(Path.join(Fs.realpathSync(Os.tmpdir()), "effect-pod-"))
    Fs.mkdirSync(Path.join(path, "bash-output"), { mode: 0o700 })
    return path
  },
  catch: runtimeDirError("make a directory in", Os.tmpdir())
})
