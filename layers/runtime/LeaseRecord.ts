/**
 * What the owner of a lock has written into the lock's file about itself: for messages, for those who look for its
 * socket, and to rebuild the register of write scopes.
 *
 * It proves nothing. A dead owner's record stays until the next owner writes its own over it.
 */
import * as Fs from "node:fs"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ScopeRules } from "../../src/protocol/ScopeRule.ts"
import type { LeaseOwner } from "../../src/runtime/Lease.ts"
import { isStopped } from "./LeaseProcess.ts"

export const LeaseRecord = Schema.Struct({
  pod_name: Schema.String,
  /** Empty for the name alone. */
  session_id: Schema.String,
  pid: Schema.Int,
  boot_id: Schema.NullOr(Schema.String),
  start_time: Schema.NullOr(Schema.String),
  socket: Schema.NullOr(Schema.String),
  /** The kind of lock that stands behind it: one kind says nothing about another. */
  by: Schema.Literals(["flock", "abstract socket", "socket file"]),
  /** Its write rules and its deny rules, all links resolved. */
  scope: ScopeRules
})
export type LeaseRecord = typeof LeaseRecord.Type

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(LeaseRecord))
const maxBytes = 1 << 20

/** Undefined if there is none, or none that can be read. */
export const readRecord = (file: number | string): LeaseRecord | undefined => {
  try {
    const text = typeof file === "string" ? Fs.readFileSync(file, "utf8") : readFrom(file)
    return Option.getOrUndefined(decode(text.split("\n", 1)[0] ?? ""))
  } catch {
    return undefined
  }
}

const readFrom = (fd: number): string => {
  const buffer = Buffer.alloc(Math.min(Fs.fstatSync(fd).size, maxBytes))
  return buffer.toString("utf8", 0, Fs.readSync(fd, buffer, 0, buffer.length, 0))
}

/** A reader takes the first line, so that it sees the old record or the new one, whatever is still behind it. */
export const writeRecord = (fd: number, record: LeaseRecord): void => {
  const bytes = Buffer.from(`${JSON.stringify(record)}\n`)
  Fs.writeSync(fd, bytes, 0, bytes.length, 0)
  Fs.ftruncateSync(fd, bytes.length)
}

export const clearRecord = (fd: number): void => Fs.ftruncateSync(fd, 0)

export const ownerOf = (record: LeaseRecord): LeaseOwner => ({
  pod_name: record.pod_name,
  pid: record.pid,
  socket: record.socket,
  stopped: isStopped(record)
})
