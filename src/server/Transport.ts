/**
 * The bytes of one connection, whatever carries them: a Unix socket, a WebSocket, two ends in one process.
 *
 * A transport moves bytes and knows nothing of lines. It holds back: `write` returns when there is room for more, and
 * what is not read stays with the peer.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** The peer takes nothing any more. What it wrote before can still be read. */
export class Disconnected extends Schema.TaggedError<Disconnected>()("Disconnected", {
  message: Schema.String
}) {}

export interface Transport {
  /** The next chunk, or null when the peer has ended its side or is gone. One reader at a time. */
  readonly read: Effect.Effect<Uint8Array | null>
  /** Returns when the data is handed on and there is room for more. One writer at a time. */
  readonly write: (data: string | Uint8Array) => Effect.Effect<void, Disconnected>
  /** Ends both sides. What was written arrives; a write that is still stuck is given up. Never fails, never waits. */
  readonly close: Effect.Effect<void>
}
