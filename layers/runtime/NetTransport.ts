/**
 * A transport over a Node socket.
 *
 * Reading is by request, so that an idle reader holds the peer back. A write returns when the kernel has taken the
 * data: there is no buffer of ours behind it.
 */
import * as Effect from "effect/Effect"
import { readSync } from "node:fs"
import type { Socket } from "node:net"
import { Disconnected, type Transport } from "../../src/server/Transport.ts"

/**
 * Takes what the peer sent out of the kernel's buffer. Node drops it when a write fails, and a sender that leaves
 * right after its line would lose that line to an event written at the same moment. The kernel bounds what is there.
 */
const rescue = (socket: Socket): Array<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
    chunks.push(chunk)
  }
  // Node has no public way to the descriptor of an accepted socket. Without one nothing is rescued.
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1
  if (fd < 0) {
    return chunks
  }
  try {
    while (true) {
      const buffer = new Uint8Array(65_536)
      const read = readSync(fd, buffer)
      if (read === 0) {
        return chunks
      }
      chunks.push(buffer.subarray(0, read))
    }
  } catch {
    // EAGAIN: nothing more. ECONNRESET: nothing more will come.
    return chunks
  }
}

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, with the closing zero. */
export const maxPathBytes = process.platform === "darwin" ? 103 : 107

export interface NetTransport extends Transport {
  /** Ends our side only; the peer can go on sending. */
  readonly end: Effect.Effect<void>
}

/** The socket must allow half-open connections, and nobody else may read it or write to it. */
export const make = (socket: Socket): NetTransport => {
  const rescued: Array<Uint8Array> = []
  let over = false
  let wake: (() => void) | null = null
  const notify = () => {
    const waiting = wake
    wake = null
    waiting?.()
  }
  const finish = () => {
    over = true
    notify()
  }
  socket.on("readable", notify)
  socket.on("end", finish)
  socket.on("close", finish)
  // A reset is an ordinary end; without a listener it would end the process.
  socket.on("error", () => {})

  const next = (): Uint8Array | null => rescued.shift() ?? (socket.read() as Uint8Array | null)

  const read = Effect.callback<Uint8Array | null>((resume) => {
    const attempt = () => {
      const chunk = next()
      if (chunk !== null || over) {
        resume(Effect.succeed(chunk))
      } else {
        wake = attempt
      }
    }
    attempt()
    return Effect.sync(() => {
      wake = null
    })
  })

  const write = (data: string | Uint8Array) =>
    Effect.callback<void, Disconnected>((resume) => {
      socket.write(data, (error) => {
        if (error === null || error === undefined) {
          resume(Effect.void)
        } else {
          rescued.push(...rescue(socket))
          notify()
          resume(Effect.fail(new Disconnected({ message: `the peer takes no more: ${error.message}` })))
        }
      })
    })

  const end = Effect.sync(() => {
    socket.end()
  })

  const close = Effect.sync(() => {
    if (socket.destroyed || socket.writableLength > 0) {
      socket.destroy()
    } else {
      socket.end(() => socket.destroy())
    }
  })

  return { read, write, end, close }
}
