/**
 * The model's side: what it costs to read answers in each dialect, and what a hundred pods on one server cost. Both beside
 * the vendor's SDK alone, in fresh processes, from the same server.
 */
import { type ChildProcess, fork } from "node:child_process"
import { dirname, join } from "node:path"
import * as Children from "./Children.ts"
import { within } from "./Clock.ts"
import type { Key, Values } from "./Rows.ts"
import type { SubjectName } from "./Subject.ts"

export const dialects = ["anthropic", "openai_chat", "openai_responses", "gemini"] as const
export type Dialect = (typeof dialects)[number]

export const decodeKeys = (dialect: Dialect) => [`decode-${dialect}`, `decode-${dialect}-cpu`] as const
export const podsKeys = ["pods", "pods-cpu", "pods-memory", "pods-spread"] as const satisfies ReadonlyArray<Key>

const patience = 60_000

export interface DialectServer {
  readonly url: string
  readonly stop: () => Promise<void>
}

const message = <A>(child: ChildProcess, what: string): Promise<A> =>
  within(
    new Promise<A>((resolve, reject) => {
      child.once("message", (value) => resolve(value as A))
      child.once("exit", (code) => reject(new Error(`${what}: the process ended with ${code}`)))
    }),
    () => what,
    patience
  )

/** `directory` is where the scripts lie. */
export const startServer = async (directory: string): Promise<DialectServer> => {
  const child = Children.own(fork(join(directory, "dialectServer.mjs"), [], { execArgv: [], env: {} }))
  const { port } = await message<{ readonly port: number }>(child, "waiting for the server of dialects")
  return { url: `http://127.0.0.1:${port}`, stop: () => Children.stop(child) }
}

export interface Models {
  readonly directory: string
  readonly server: DialectServer
  /** `dist/main.js`: the library lies beside it. */
  readonly program: string
}

const measured = async <A>({ directory, program, server }: Models, ...args: ReadonlyArray<string>): Promise<A> => {
  const [what = "", who = "", ...more] = args
  const child = Children.own(
    fork(join(directory, "models.mjs"), [what, who, server.url, dirname(program), ...more], {
      execArgv: ["--expose-gc"],
      // Where a key is looked for there must be none of a developer's.
      env: { PATH: process.env["PATH"] ?? "" }
    })
  )
  try {
    return await message<A>(child, `${args.join(" ")}`)
  } finally {
    await Children.stop(child)
  }
}

export const decode = async (models: Models, who: SubjectName, dialect: Dialect): Promise<Values> => {
  const { cpu, perSecond } = await measured<{ cpu: number; perSecond: number }>(models, "decode", who, dialect)
  // Seconds for each delta are milliseconds for a thousand.
  return { [`decode-${dialect}`]: perSecond, [`decode-${dialect}-cpu`]: cpu * 1000 }
}

export const pods = async (models: Models, who: SubjectName): Promise<Values> => {
  const { cpu, memory, spread, wall } = await measured<{ cpu: number; memory?: number; spread: number; wall: number }>(
    models,
    "pods",
    who
  )
  return {
    pods: wall,
    "pods-cpu": cpu,
    "pods-spread": spread,
    ...(memory === undefined ? {} : { "pods-memory": memory })
  }
}
