/** What one connection may cost. Sizes of text are in UTF-16 units: bytes, for ASCII. */
import * as Duration from "effect/Duration"

export interface Limits {
  /** Longest line that is taken from a client, in bytes. A longer one is answered and dropped without being kept. */
  readonly maxLineBytes: number
  /** Lines that a client may have unanswered. Then it is not read until answers have been written. */
  readonly maxUnanswered: number
  /** Size of answers that wait to be written, beyond which the client is not read. */
  readonly maxAnswerSize: number
  /** Broadcast events that wait to be written, beyond which the client has fallen behind. */
  readonly maxEvents: number
  /** Size of these events. A single event is always accepted. */
  readonly maxEventSize: number
  /** Lines are written together up to this size. */
  readonly writeSize: number
  /** For the last lines to go out when the pod or the server stops. */
  readonly drainTimeout: Duration.Duration
  /** A client that has ended its side and takes nothing for so long is given up. */
  readonly stallTimeout: Duration.Duration
}

export const defaults: Limits = {
  maxLineBytes: 16 * 1024 * 1024,
  maxUnanswered: 64,
  maxAnswerSize: 1024 * 1024,
  maxEvents: 4_096,
  maxEventSize: 16 * 1024 * 1024,
  writeSize: 64 * 1024,
  drainTimeout: Duration.seconds(2),
  stallTimeout: Duration.seconds(30)
}
