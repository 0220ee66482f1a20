/**
 * `flock(2)` without native code: a helper locks descriptors that it has inherited from us.
 *
 * The lock belongs to the open file, which is ours as much as the helper's: it stays when the helper has ended, it goes
 * when our last descriptor does, by `close`, by exit or by `kill -9`. No child that is started later inherits it.
 * Works on local file systems of Linux and of others that have the program.
 */
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Effect from "effect/Effect"
import { describeSystemError, systemCode } from "../store/SystemError.ts"
import { type LockFile, LockFailed } from "./LeaseLockFile.ts"

/** A helper that locks without waiting is done in milliseconds. */
const patience = "5 seconds"
/** Descriptors for one helper. */
const maxFds = 64
/** The first descriptor behind stdin, stdout and stderr. */
const firstFd = 3
/** What `flock` ends with if somebody else holds the lock. */
const heldCode = 1
/** What the helper's shell ends with then, for the first lock; one more for each that follows. */
const heldFrom = 10
const notFound = 127

/** As `Locks.take`; "missing" if there is no such program. */
export const take = Effect.fnUntraced(function* (program: string, files: ReadonlyArray<LockFile>) {
  const fds = files.map(({ fd }) => fd)
  const { code, errors } = yield* files.length === 1
    ? run(program, program, ["-n", "-x", String(firstFd)], fds)
    : run(program, "/bin/sh", ["-c", files.map((_, index) => lockStep(index)).join("\n"), program], fds)
  if (code === 0) return undefined
  if (code === notFound) return "missing" as const
  const index = files.length === 1 ? code - heldCode : code - heldFrom
  // Some builds end with 1 for every reason; only a lock that is held goes without a word.
  if (errors === "" && index >= 0 && index < files.length) return index
  return yield* failed(program, code, errors)
})

/** `$0` is the program. */
const lockStep = (index: number): string =>
  `"$0" -n -x ${firstFd + index}; r=$?; [ $r = 0 ] || exit $((r == ${heldCode} ? ${heldFrom + index} : r))`

/**
 * As `Locks.held`; "missing" if there is no such program. It takes and drops a shared lock: an owner-to-be that comes
 * in that instant is refused once, and tries again when it finds nobody alive behind the refusal.
 */
export const held = Effect.fnUntraced(function* (program: string, paths: ReadonlyArray<string>) {
  const result = paths.map(() => false)
  for (let start = 0; start < paths.length; start += maxFds) {
    const found = yield* Effect.scoped(heldBatch(program, paths.slice(start, start + maxFds)))
    if (found === "missing") return found
    for (const index of found) result[start + index] = true
  }
  return result
})

const heldBatch = Effect.fnUntraced(function* (program: string, paths: ReadonlyArray<string>) {
  const open = (yield* Effect.forEach(paths, openForReading)).flatMap((fd, index) =>
    fd === undefined ? [] : [{ fd, index }]
  )
  if (open.length === 0) return []
  const script = [...open.map((_, at) => lookStep(at)), "exit 0"].join("\n")
  const fds = open.map(({ fd }) => fd)
  const { code, errors, output } = yield* run(program, "/bin/sh", ["-c", script, program], fds)
  if (code === notFound) return "missing" as const
  if (code !== 0 || errors !== "") return yield* failed(program, code, errors)
  return output.split("\n").flatMap((line) => open[line === "" ? -1 : Number(line)]?.index ?? [])
})

/** Prints its number if the lock is held. */
const lookStep = (at: number): string =>
  `"$0" -n -s ${firstFd + at}; r=$?
   case $r in 0) "$0" -u ${firstFd + at};; ${heldCode}) echo ${at};; ${notFound}) exit $r;; esac`

const openForReading = (path: string) =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      try {
        return Effect.succeed(Fs.openSync(path, "r"))
      } catch (cause) {
        if (systemCode(cause) === "ENOENT") return Effect.undefined
        return new LockFailed({ message: `cannot look at the lock ${path}: ${describeSystemError(cause)}` })
      }
    }),
    (fd) => Effect.sync(() => (fd === undefined ? undefined : Fs.closeSync(fd)))
  )

interface Outcome {
  readonly code: number
  readonly output: string
  readonly errors: string
}

/** Asynchronous but for the fork itself, which takes a millisecond. */
const run = (program: string, command: string, args: ReadonlyArray<string>, fds: ReadonlyArray<number>) =>
  Effect.callback<Outcome, LockFailed>((resume) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe", ...fds],
      cwd: "/",
      env: { PATH: `${process.env["PATH"] ?? ""}:/usr/local/bin:/usr/bin:/bin`, LC_ALL: "C" }
    })
    const texts = { output: "", errors: "" }
    child.stdout?.on("data", (data: Buffer) => void (texts.output += data.toString()))
    child.stderr?.on("data", (data: Buffer) => void (texts.errors += data.toString()))
    child.on("error", (cause) =>
      resume(
        systemCode(cause) === "ENOENT"
          ? Effect.succeed({ code: notFound, output: "", errors: "" })
          : new LockFailed({ message: `cannot start ${program}: ${describeSystemError(cause)}` })
      )
    )
    child.on("close", (code, signal) => {
      if (code !== null) return resume(Effect.succeed({ code, ...texts }))
      resume(new LockFailed({ message: `${program} was ended by ${signal}` }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => new LockFailed({ message: `${program} did not answer within ${patience}` })
    })
  )

const failed = (program: string, code: number, errors: string): LockFailed =>
  new LockFailed({
    message:
      `${program} failed with code ${code}${errors.trim() === "" ? "" : `: ${errors.trim()}`}; ` +
      "the file system may not support locks: keep the data and runtime directories on a local disk"
  })
