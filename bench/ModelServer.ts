/** The measuring side of `modelServer.mjs`: starts it, plans its answers, collects what it saw. */
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import * as Children from "./Children.ts"
import { within } from "./Clock.ts"

export type Answer =
  | { readonly kind: "text" }
  | { readonly kind: "tool"; readonly id: string; readonly name: string; readonly args: object }
  | { readonly kind: "deltas"; readonly count: number }
  /** As many texts, each with a call of a tool that nobody has; `bytes` long, both of them. Calls are named by `id`. */
  | { readonly kind: "work"; readonly id: string; readonly steps: number; readonly bytes: number }
  /** Begins, and then says nothing more. */
  | { readonly kind: "hang" }

/** One request. Times are those of `Clock.now`. */
export interface Record {
  /** The whole request is there. */
  readonly arrived: number
  /** The first byte of a long answer is about to go out. */
  readonly firstByte?: number
  /** The last byte is about to go out; missing in an answer that hangs. */
  readonly lastByte?: number
  /** The answer is over, or its connection was closed. */
  readonly closed?: number
}

export interface ModelServer {
  readonly url: string
  /** What to answer from now on, one answer per request. */
  readonly play: (answers: ReadonlyArray<Answer>) => Promise<void>
  /** The n oldest requests, once they are over. */
  readonly take: (n: number) => Promise<ReadonlyArray<Record>>
  readonly stop: () => Promise<void>
}

interface Message {
  readonly port?: number
  readonly records?: ReadonlyArray<Record>
}

const next = (child: ChildProcess, what: string): Promise<Message> =>
  within(
    new Promise<Message>((resolve, reject) => {
      child.once("message", (message) => resolve(message as Message))
      child.once("exit", (code) => reject(new Error(`the model server ended with ${code}`)))
    }),
    () => what
  )

/** `directory` is where `modelServer.mjs` lies. */
export const start = async (directory: string): Promise<ModelServer> => {
  const child = Children.own(fork(join(directory, "modelServer.mjs"), [], { execArgv: [], env: {} }))
  child.setMaxListeners(0)
  const { port } = await next(child, "waiting for the model server")
  const ask = (question: object, what: string): Promise<Message> => {
    const answer = next(child, what)
    child.send(question)
    return answer
  }
  return {
    url: `http://127.0.0.1:${port}`,
    play: async (answers) => {
      await ask({ play: answers }, "planning answers of the model server")
    },
    take: async (n) =>
      (await ask({ take: n }, `waiting for ${n} requests to the model server to be over`)).records ?? [],
    stop: () => Children.stop(child)
  }
}
