/**
 * What a process writes, as a stream that is read only as fast as somebody takes it.
 *
 * At most one chunk waits here; the rest waits in the pipe, and a full pipe stops the writer. `finish` takes what the
 * pipe still holds, which is bounded by the pipe's size, so that nothing that was written is lost when the process is
 * ended, and nobody who still holds the pipe can keep the stream open.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as NFS from "node:fs"
import * as Net from "node:net"

export interface Output {
  readonly stream: Stream.Stream<Uint8Array>
  /**
   * Ends the stream behind what is in the pipe now, and closes the read end. True if nobody holds the other end any
   * more, nor can open it again.
   */
  readonly finish: () => boolean
}

const chunkSize = 65_536

/** A pipe holds no more than this many chunks; a writer that outlives the process is not followed any further. */
const maxDrained = 16

/** `fd` is the read end of a pipe and does not block; it belongs to the output from here on. */
export const make = (fd: number): Output => {
  const socket = new Net.Socket({ fd, readable: true, writable: false })
  let chunks: Array<Uint8Array> = []
  let hasEnded = false
  let isFree = false
  let wake: (() => void) | undefined

  const signal = () => {
    const waiting = wake
    wake = undefined
    waiting?.()
  }
  const end = () => {
    hasEnded = true
    signal()
  }
  socket.on("data", (chunk: Uint8Array) => {
    chunks.push(chunk)
    socket.pause()
    signal()
  })
  socket.on("end", () => {
    isFree = true
    end()
  })
  // A pipe's read end fails only when it is closed under the reader.
  socket.on("error", end)
  socket.pause()

  const available = Effect.callback<void>((resume) => {
    wake = () => resume(Effect.void)
    socket.resume()
    return Effect.sync(() => {
      wake = undefined
      socket.pause()
    })
  })

  const pull = Effect.suspend(function next(): Effect.Effect<readonly [Uint8Array, ...Array<Uint8Array>], Cause.Done> {
    const [first, ...rest] = chunks
    if (first !== undefined) {
      chunks = []
      return Effect.succeed([first, ...rest])
    }
    return hasEnded ? Cause.done() : Effect.andThen(available, Effect.suspend(next))
  })

  const drain = () => {
    const buffered: Uint8Array | null = socket.read()
    if (buffered !== null) chunks.push(buffered)
    try {
      for (let count = 0; count < maxDrained; count++) {
        const chunk = new Uint8Array(chunkSize)
        const length = NFS.readSync(fd, chunk)
        if (length === 0) {
          isFree = true
          return
        }
        chunks.push(chunk.subarray(0, length))
      }
    } catch {
      // EAGAIN: the pipe is empty, and somebody outside of the group still holds it.
    }
  }

  return {
    stream: Stream.fromPull(Effect.succeed(pull)),
    finish: () => {
      socket.removeAllListeners("data")
      socket.pause()
      if (!hasEnded) drain()
      socket.destroy()
      end()
      return isFree
    }
  }
}
