/**
 * A model that plays a script: for tests, demos and examples. Every stream that is run plays the next call.
 *
 * A call is a list of steps. Neighbouring texts (waits and gates may lie between) are deltas of one block, and so are
 * neighbouring thinkings. Time is `Clock`, so a script plays at once under a test clock. A call that the script does
 * not have, and one whose `expect` is not met, is an error that names the script, the line and the call.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { readFile } from "node:fs/promises"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import { LlmError } from "../../src/llm/LlmError.ts"
import type { LlmRequest } from "../../src/llm/LlmRequest.ts"
import { compile } from "./scripted/Compile.ts"
import { parseScript } from "./scripted/Parse.ts"
import type { ScriptCall, ScriptStep } from "./scripted/Script.ts"
import * as CallIds from "./vendor/CallIds.ts"

export type { ScriptCall, ScriptStep } from "./scripted/Script.ts"

export const provider = "scripted"

export interface ScriptedOptions {
  /** For error messages: the file, by default `script`. */
  readonly name?: string
  readonly model?: string
  /** Tokens; by default 200000. */
  readonly contextWindow?: number
  /** By default false. */
  readonly vision?: boolean
  /** By default as `vision`. */
  readonly documents?: boolean
}

/** What a test may look at. */
export class Script extends Context.Service<
  Script,
  {
    /** All requests so far, in order; those whose stream was run. */
    readonly requests: Effect.Effect<ReadonlyArray<LlmRequest>>
    /** Calls that were not made yet. */
    readonly remaining: Effect.Effect<number>
  }
>()("effect-pod/llm/Script") {}

export interface Scripted {
  readonly client: LlmClient["Service"]
  readonly script: Script["Service"]
}

export const make = (calls: ReadonlyArray<ScriptCall>, options: ScriptedOptions = {}): Effect.Effect<Scripted> =>
  Effect.sync(() => {
    const name = options.name ?? "script"
    const requests: Array<LlmRequest> = []
    return {
      client: {
        info: {
          provider,
          model: options.model ?? "scripted",
          contextWindow: options.contextWindow ?? 200_000,
          ...(options.vision === undefined ? {} : { vision: options.vision }),
          ...(options.documents === undefined ? {} : { documents: options.documents })
        },
        stream: (request, alive = () => {}) =>
          Stream.suspend(() => {
            const n = requests.push(request)
            const call = calls[n - 1]
            if (call === undefined) return Stream.fail(pastTheEnd(name, calls.length, n))
            const disappointed = unmet(name, call, n, request)
            if (disappointed !== undefined) return Stream.fail(disappointed)
            alive()
            return play(call.steps, request)
          })
      },
      script: {
        requests: Effect.sync(() => [...requests]),
        remaining: Effect.sync(() => Math.max(0, calls.length - requests.length))
      }
    }
  })

const play = (steps: ReadonlyArray<ScriptStep>, request: LlmRequest) =>
  Stream.fromIterable(compile(steps, CallIds.forAnswer(request))).pipe(
    // One by one, so that a wait holds back what follows and nothing else.
    Stream.rechunk(1),
    Stream.flatMap((action) => {
      switch (action.do) {
        case "emit":
          return Stream.fromIterable(action.events)
        case "wait":
          return Stream.fromEffectDrain(Effect.sleep(Duration.millis(action.millis)))
        case "gate":
          return Stream.fromEffectDrain(action.gate)
        case "fail":
          return Stream.fail(action.error)
      }
    })
  )

const pastTheEnd = (name: string, length: number, call: number): LlmError =>
  new LlmError({
    reason: "Config",
    provider,
    message: `${name}: the script has ${length} call${length === 1 ? "" : "s"}, and call ${call} was made`,
    hint: "add a line to the script for every request that the run makes, retries included"
  })

const unmet = (name: string, call: ScriptCall, n: number, request: LlmRequest): LlmError | undefined => {
  const wanted = call.expect?.user_contains
  if (wanted === undefined) return undefined
  const said = request.messages.findLast((message) => message.role === "user")?.text ?? ""
  if (said.includes(wanted)) return undefined
  return new LlmError({
    reason: "Config",
    provider,
    message:
      `${place(name, call)}: call ${n} expects the user's last message to contain ${JSON.stringify(wanted)}, ` +
      `but it is ${JSON.stringify(said.slice(0, 200))}`
  })
}

const place = (name: string, call: ScriptCall): string => (call.line === undefined ? name : `${name}:${call.line}`)

/** The calls of a script: one JSON object per line. Fails with reason `Config`, naming the script and the line. */
export const fromText = (text: string, name = "script"): Effect.Effect<ReadonlyArray<ScriptCall>, LlmError> =>
  Effect.suspend(() => {
    const parsed = parseScript(text)
    return "problem" in parsed
      ? Effect.fail(new LlmError({ reason: "Config", provider, message: `${name}:${parsed.line}: ${parsed.problem}` }))
      : Effect.succeed(parsed.calls)
  })

/** The script in a file (`model.script`). */
export const fromFile = (path: string, options: ScriptedOptions = {}): Effect.Effect<Scripted, LlmError> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) =>
      new LlmError({
        reason: "Config",
        provider,
        message: `${path}: the script cannot be read (${cause instanceof Error ? cause.message : String(cause)})`,
        hint: "check model.script in the manifest"
      })
  }).pipe(
    Effect.flatMap((text) => fromText(text, path)),
    Effect.flatMap((calls) => make(calls, { name: path, ...options }))
  )

const services = (scripted: Scripted): Context.Context<LlmClient | Script> =>
  Context.make(LlmClient, scripted.client).pipe(Context.add(Script, scripted.script))

/** Provides the model, and `Script` to look at what it was asked. */
export const layer = (
  calls: ReadonlyArray<ScriptCall>,
  options: ScriptedOptions = {}
): Layer.Layer<LlmClient | Script> => Layer.effectContext(Effect.map(make(calls, options), services))

export const layerFile = (path: string, options: ScriptedOptions = {}): Layer.Layer<LlmClient | Script, LlmError> =>
  Layer.effectContext(Effect.map(fromFile(path, options), services))
