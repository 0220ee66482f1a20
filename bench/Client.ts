/**
 * One connection to a subject, as cheap as can be: what the client costs is part of what is measured.
 *
 * Deltas are counted and snapshots skipped, neither is parsed. Every other line wakes whoever waits for it, with the time at which it came in.
 */
import { connect as connectSocket } from "node:net"
import { now, within } from "./Clock.ts"

export interface Seen {
  readonly at: number
  readonly data: { readonly result?: unknown; readonly ok?: boolean; readonly error?: unknown }
}

export interface Client {
  /** Text deltas so far. */
  readonly deltas: () => number
  /** Sends the line and says when. */
  readonly send: (method: string, params?: object, id?: string) => number
  /** The next event of this name from now on. A refused method and a failed run are errors. */
  readonly next: (event: string) => Promise<Seen>
  readonly close: () => void
}

const snapshot = '{"event":"snapshot"'
const textDelta = '{"event":"text_delta"'

export const connect = (path: string): Promise<Client> =>
  within(
    new Promise<Client>((resolve, reject) => {
      const socket = connectSocket(path)
      const waiting = new Map<string, { resolve: (seen: Seen) => void; reject: (error: Error) => void }>()
      const failAll = (error: Error) => {
        for (const waiter of waiting.values()) waiter.reject(error)
        waiting.clear()
      }
      let deltas = 0
      const see = (line: string, at: number) => {
        const { data, event } = JSON.parse(line) as { readonly event: string; readonly data: Seen["data"] }
        if (event === "reply" && data.ok === false) return failAll(new Error(`refused: ${JSON.stringify(data.error)}`))
        if (event === "run_end" && data.result !== "finished" && data.result !== "cancelled") {
          return failAll(new Error(`the run ended otherwise: ${line.slice(0, 500)}`))
        }
        waiting.get(event)?.resolve({ at, data })
        waiting.delete(event)
      }
      let rest = ""
      let inSnapshot = false
      socket.setEncoding("utf8")
      socket.on("data", (piece: string) => {
        const at = now()
        const lines = (rest + piece).split("\n")
        rest = lines.pop() ?? ""
        if (inSnapshot && lines.length > 0) {
          lines.shift()
          inSnapshot = false
        }
        // It may be as long as the log: nobody here wants it.
        inSnapshot ||= rest.startsWith(snapshot)
        if (inSnapshot) rest = ""
        for (const line of lines) {
          if (line.startsWith(snapshot)) continue
          if (!line.startsWith(textDelta)) see(line, at)
          else if (deltas++ === 0 || waiting.has("text_delta")) see(line, at)
        }
      })
      socket.once("close", () => failAll(new Error("the connection was closed")))
      socket.once("error", reject)
      const client: Client = {
        deltas: () => deltas,
        send: (method, params, id) => {
          const line = JSON.stringify({ method, ...(id === undefined ? {} : { id }), ...(params && { params }) })
          const at = now()
          socket.write(`${line}\n`)
          return at
        },
        next: (event) =>
          within(
            new Promise((found, failed) => waiting.set(event, { resolve: found, reject: failed })),
            () => `waiting for ${event}`
          ),
        close: () => socket.destroy()
      }
      socket.once("connect", () => {
        const welcome = client.next("welcome")
        client.send("hello", { protocol: 2, client: "bench", entries: { tail: 0 } }, "hello")
        welcome.then(() => resolve(client), reject)
      })
    }),
    () => `connecting to ${path}`
  )
