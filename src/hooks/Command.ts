/**
 * A hook that is a command: the input is JSON on its standard input, the decision JSON on its standard output.
 *
 * Exit code 0 and no output: go on. Any other exit code, a signal, output that is no decision or is too long, and the end
 * of its time are failures. Neither its output nor what it writes to stderr is shown or kept: either may hold anything.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { matchesWildcard } from "../manifest/Wildcard.ts"
import type { HookCommand } from "../manifest/tables/Hooks.ts"
import type { HookPoint } from "../protocol/Hook.ts"
import type { Launcher, ProcessExit } from "../runtime/Launcher.ts"
import type { Decisions } from "./Decision.ts"
import { type Hook, HookError, type Inputs } from "./Hook.ts"

/** A decision with all its texts is shorter. */
const maxOutputBytes = 1024 * 1024

export interface CommandOptions {
  readonly launcher: Launcher["Service"]
  /** Absolute. */
  readonly cwd: string
  /** The whole environment of the command. */
  readonly env: Readonly<Record<string, string>>
  /** Told to the command beside the input. */
  readonly about: { readonly pod: string; readonly session_id: string }
}

export const make = (table: HookCommand, options: CommandOptions): Hook => {
  const concerns = (tool: string) => matchesWildcard(table.tool.toLowerCase(), tool.toLowerCase())
  const run = <P extends HookPoint>(point: P) =>
    table.on.includes(point)
      ? (input: Inputs[P]) =>
          "tool_name" in input && !concerns(input.tool_name)
            ? Effect.undefined
            : // What it says is decoded by whoever asks; until then it may be anything.
              (answer(table, options, point, input) as Effect.Effect<Decisions[P] | undefined, HookError>)
      : undefined
  return {
    name: table.name,
    timeout: table.timeout,
    ...present("onPromptSubmit", run("on_prompt_submit")),
    ...present("preLlmRequest", run("pre_llm_request")),
    ...present("preToolCall", run("pre_tool_call")),
    ...present("postToolCall", run("post_tool_call")),
    ...present("onTurnEnd", run("on_turn_end")),
    ...present("onAbort", run("on_abort"))
  }
}

const present = <K extends string, V>(key: K, value: V | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { readonly [_ in K]?: V }

const failed = (message: string) => Effect.fail(new HookError({ message }))

const answer = <P extends HookPoint>(
  { command: [program = "", ...args] }: HookCommand,
  { about, cwd, env, launcher }: CommandOptions,
  point: P,
  input: Inputs[P]
) =>
  Effect.gen(function* () {
    // Closed as soon as the command is over: nothing that it started outlives its answer.
    const tree = yield* Effect.acquireRelease(Scope.make(), Scope.close)
    const spec = {
      command: program,
      args,
      cwd,
      env,
      input: `${JSON.stringify({ point, ...about, cwd, ...input })}\n`,
      stderr: "none"
    } as const
    const running = yield* launcher.start(spec).pipe(
      Scope.provide(tree),
      Effect.mapError((error) => new HookError({ message: error.message }))
    )
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    const tooMuch = yield* Deferred.make<ProcessExit, HookError>()
    const reading = yield* Effect.forkChild(
      running.output.pipe(
        Stream.takeWhileEffect((chunk) => {
          bytes += chunk.length
          if (bytes <= maxOutputBytes) return Effect.sync(() => chunks.push(chunk) > 0)
          return Effect.as(Deferred.completeWith(tooMuch, failed(`it wrote more than ${maxOutputBytes} bytes`)), false)
        }),
        Stream.runDrain
      )
    )
    const exit = yield* Effect.raceFirst(running.exit, Deferred.await(tooMuch))
    yield* Scope.close(tree, Exit.void)
    yield* Fiber.join(reading)
    if (exit._tag === "Signal") return yield* failed(`it was ended by ${exit.signal}`)
    if (exit.code !== 0) return yield* failed(`it ended with exit code ${exit.code}`)
    return yield* parse(chunks)
  }).pipe(Effect.scoped)

const parse = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<unknown, HookError> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode()
    if (text.trim() === "") return Effect.undefined
    return Effect.try({
      try: () => JSON.parse(text) as unknown,
      catch: () => new HookError({ message: "what it wrote is not JSON" })
    })
  })
