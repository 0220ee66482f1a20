/**
 * A client on a real socket that reads strictly: a line that its protocol does not know ends the test.
 *
 * It keeps every line. `next` and `until` go forward from where the last of them stopped; replies are found wherever
 * they stand. Every wait ends by itself, with the last lines in its error.
 */
import * as Schema from "effect/Schema"
import { connect, type Socket } from "node:net"
import { Event } from "../../src/protocol/Event.ts"
import { strictSeedEvent } from "../protocol/strictSeedReader.ts"

const patience = 20_000

interface AnyLine {
  readonly event: string
  readonly data?: unknown
}

type Named<Line extends AnyLine, Name> = Extract<Line, { readonly event: Name }>

export class Client<Line extends AnyLine> {
  readonly lines: Array<Line> = []
  /** Resolves when the pod has closed the connection. */
  readonly closed: Promise<void>
  private readonly socket: Socket
  private readonly watchers = new Set<() => void>()
  private cursor = 0
  private isClosed = false
  private broken: Error | undefined
  private requests = 0

  constructor(socket: Socket, decode: (json: unknown) => Line) {
    this.socket = socket
    const wake = () => {
      for (const look of this.watchers) look()
    }
    let rest: Array<string> = []
    socket.setEncoding("utf8")
    socket.on("data", (piece: string) => {
      // A line of many megabytes comes in many pieces, and is put together once.
      rest.push(piece)
      if (!piece.includes("\n")) return
      const texts = rest.join("").split("\n")
      rest = [texts.pop() ?? ""]
      try {
        for (const text of texts) {
          this.latest = text
          this.lines.push(decode(JSON.parse(text)))
        }
      } catch (error) {
        this.broken = new Error(`a line that cannot be read: ${this.latest.slice(0, 2000)}`, { cause: error })
      }
      wake()
    })
    socket.on("error", () => {})
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.isClosed = true
        resolve()
        wake()
      })
    })
  }

  private latest = ""

  /** What is wrong with a line that was read, if anything is. */
  unreadable(): string | undefined {
    return this.broken?.message
  }

  /** Writes an object as a line, or a text as it is with a newline behind it. */
  send(line: object | string): void {
    this.socket.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`)
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Ends the side that sends. */
  half(): void {
    this.socket.end()
  }

  /** Takes nothing more, until `resume`. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  leave(): void {
    this.socket.destroy()
  }

  run(text: string, params: object = {}): Promise<Named<Line, "reply">> {
    return this.request("run", { input: [{ kind: "text", content: text }], ...params })
  }

  /** Sends the method under an id of its own and waits for the reply to it. */
  async request(method: string, params?: object): Promise<Named<Line, "reply">> {
    const id = `r${++this.requests}`
    this.send({ method, id, ...(params === undefined ? {} : { params }) })
    return (await this.wait(`the reply to ${method}`, () =>
      this.lines.find((line) => line.event === "reply" && (line.data as { readonly reply_to: string }).reply_to === id)
    )) as Named<Line, "reply">
  }

  /** The next line with this event; everything before it is passed over. */
  async next<Name extends Line["event"]>(
    event: Name,
    where: (line: Named<Line, Name>) => boolean = () => true
  ): Promise<Named<Line, Name>> {
    return (await this.until(event, where)).at(-1) as Named<Line, Name>
  }

  /** The lines from here up to and with the first one with this event. */
  until<Name extends Line["event"]>(
    event: Name,
    where: (line: Named<Line, Name>) => boolean = () => true
  ): Promise<ReadonlyArray<Line>> {
    const from = this.cursor
    return this.wait(event, () => {
      const at = this.lines.findIndex(
        (line, n) => n >= from && line.event === event && where(line as Named<Line, Name>)
      )
      if (at < 0) return undefined
      this.cursor = at + 1
      return this.lines.slice(from, at + 1)
    })
  }

  /** The lines from here to the end of the connection, which must come. */
  async rest(): Promise<ReadonlyArray<Line>> {
    const from = this.cursor
    await this.wait("the end of the connection", () => (this.isClosed ? true : undefined))
    this.cursor = this.lines.length
    return this.lines.slice(from)
  }

  private wait<A>(what: string, find: () => A | undefined): Promise<A> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer)
        this.watchers.delete(look)
        settle()
      }
      const fail = (why: string) => {
        const last = this.lines.slice(-8).map((line) => JSON.stringify(line).slice(0, 300))
        done(() => reject(new Error(`${why}, waiting for ${what}; the last lines:\n${last.join("\n")}`)))
      }
      const look = () => {
        if (this.broken !== undefined) return done(() => reject(this.broken))
        const found = find()
        if (found !== undefined) done(() => resolve(found))
        else if (this.isClosed) fail("the connection ended")
      }
      const timer = setTimeout(() => fail(`${patience} ms went by`), patience)
      this.watchers.add(look)
      look()
    })
  }
}

export const open = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true })
    socket.once("error", reject)
    socket.once("connect", () => {
      socket.off("error", reject)
      // The connection is over when the pod ends its side.
      socket.once("end", () => socket.end())
      resolve(socket)
    })
  })

/** One decoder per event, so that an error speaks of that event alone. */
const decoder = <Line extends AnyLine>(
  members: ReadonlyArray<Schema.Codec<Line, unknown> & { readonly fields: { readonly event: Schema.Top } }>,
  options: { readonly onExcessProperty: "error" | "ignore" }
) => {
  const decoders = new Map(
    members.map((member) => {
      // Each of them is a literal.
      const { literal } = member.fields.event.ast as unknown as { readonly literal: string }
      return [literal, Schema.decodeUnknownSync(member, options)] as const
    })
  )
  return (json: unknown): Line => {
    const decode = decoders.get((json as AnyLine).event)
    if (decode === undefined) throw new Error("an event that this protocol does not have")
    return decode(json)
  }
}

const decodeSeed = decoder<typeof strictSeedEvent.Type>(strictSeedEvent.members, { onExcessProperty: "ignore" })
export const decodeNative = decoder<NativeLine>(Event.members, { onExcessProperty: "error" })

export type SeedClient = Client<typeof strictSeedEvent.Type>
export type NativeLine = Event
export type NativeClient = Client<NativeLine>

/** A client that has never heard of the native protocol. */
export const connectSeed = async (path: string): Promise<SeedClient> => new Client(await open(path), decodeSeed)

type Welcome = Named<NativeLine, "welcome">["data"]
type Snapshot = Named<NativeLine, "snapshot">["data"]

export interface Attached {
  readonly client: NativeClient
  readonly welcome: Welcome
}

/** Says hello and returns with the welcome; what follows it is next. */
export const hello = async (path: string, params: object = {}): Promise<Attached> => {
  const client: NativeClient = new Client(await open(path), decodeNative)
  client.send({ method: "hello", id: "hello", params: { protocol: 2, client: "e2e/1", ...params } })
  const { data: welcome } = await client.next("welcome")
  return { client, welcome }
}

/** A native client that is attached anew. */
export const connectNative = async (
  path: string,
  params: object = {}
): Promise<Attached & { readonly snapshot: Snapshot }> => {
  const attached = await hello(path, params)
  return { ...attached, snapshot: (await attached.client.next("snapshot")).data }
}

/** What a method was answered; the test ends if it was refused. */
export const accepted = (reply: Named<NativeLine, "reply">): Readonly<Record<string, unknown>> => {
  if (!reply.data.ok) throw new Error(`refused: ${JSON.stringify(reply.data.error)}`)
  return reply.data.result as Readonly<Record<string, unknown>>
}

/** Runs the text and waits for its end. */
export const turn = async (client: NativeClient, text: string): Promise<Named<NativeLine, "run_end">["data"]> => {
  const { run_id } = accepted(await client.run(text))
  return (await client.next("run_end", ({ data }) => data.run_id === run_id)).data
}
