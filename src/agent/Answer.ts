/**
 * One answer of the model, received whole: asked for again where it broke off, by the rules of `llm/Ending`.
 *
 * Each piece is a request of its own. Its context holds what there is of the answer so far and, because vendors do not
 * go on with an assistant's message, a note that asks for the rest. Nothing of it is in the journal before it is whole:
 * a cancel or a crash in between leaves nothing of it. A budget that allows no further request ends it with what there is.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { ceiling, mayBeElsewhere, seconds } from "../llm/Backoff.ts"
import * as Ending from "../llm/Ending.ts"
import { defaultLimits, type Limits } from "../llm/Limits.ts"
import { type LlmClient, type ModelInfo, nameOf, originOf } from "../llm/LlmClient.ts"
import { LlmError } from "../llm/LlmError.ts"
import type { LlmEvent, LlmUsage } from "../llm/LlmEvent.ts"
import type { LlmRequest } from "../llm/LlmRequest.ts"
import { patient } from "../llm/Patience.ts"
import * as Pieces from "../llm/Pieces.ts"
import * as Response from "../llm/Response.ts"
import * as Shown from "../llm/Shown.ts"
import { limitNote } from "../llm/Transcript.ts"
import { merge } from "../llm/Usage.ts"
import type { BroadcastEvent } from "../protocol/Event.ts"
import * as Blocks from "./Blocks.ts"
import * as Budget from "./Budget.ts"
import { type LegProgress, type LegServices, warn } from "./LegContext.ts"
import { onGate, onRetry, recordUsage, reportUsage } from "./ModelReports.ts"
import { ofLlm, overflow, type RunFailure } from "./RunFailure.ts"

export type Limit = Budget.Limit | { readonly limit: "max_tokens" | "max_continuations" }

/** `provider` on what only its maker takes back. */
export interface AnswerItem extends Response.ResponseItem {
  readonly provider: string | undefined
  readonly turn: number
}

export interface Answer {
  readonly items: ReadonlyArray<AnswerItem>
  /** Of the last request; those before it are recorded already. */
  readonly usage: LlmUsage
  readonly llmCall: number
  /** Who gave the end of the answer. */
  readonly info: ModelInfo
  /** What kept the answer from its end. */
  readonly limit: Limit | undefined
}

/** `request` makes the request to this model that asks for what goes on behind these items. */
export const receive = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  turn: number,
  request: (client: LlmClient["Service"], soFar: ReadonlyArray<AnswerItem>, note: string | undefined) => LlmRequest
): Effect.fn.Return<Answer, RunFailure> {
  const { journal } = services
  const pieces = Pieces.make()
  const blocks = Blocks.make()
  const response = Response.make()
  const follow = (events: ReadonlyArray<Pieces.AnswerEvent>): Effect.Effect<void> => {
    const seen: Array<BroadcastEvent> = []
    for (const event of events) {
      response.push(event)
      seen.push(...blocks.push(event))
    }
    if (blocks.active()) progress.active = true
    return seen.length === 0 ? Effect.void : journal.emit(...seen)
  }
  const models = [services.client, ...(services.client.fallbacks ?? [])]
  /** By block: who has made it. */
  const makers = new Map<number, LlmClient["Service"]>()
  const items = (client: LlmClient["Service"]): ReadonlyArray<AnswerItem> =>
    response.items().map((made) => {
      const maker = makers.get(made.block) ?? client
      makers.set(made.block, maker)
      return { ...made, turn, provider: isProof(made.item) ? originOf(maker.info) : undefined }
    })
  const collect = Effect.gen(function* (): Effect.fn.Return<Answer, RunFailure> {
    let note: string | undefined
    let attempt = 1
    let at = 0
    for (;;) {
      const client = models[at] ?? services.client
      const next = models[at + 1]
      const llmCall = journal.live.llmCalls
      yield* journal.emit({
        event: "llm_call_start",
        data: { llm_call: llmCall, ...(at === 0 ? {} : { model: nameOf(client.info) }) }
      })
      let asked = Shown.atMost(request(client, items(client), note), progress.maxShown ?? Infinity)
      const patience = { limits: limitsOf(services, client), hasElsewhere: next !== undefined }
      const ask = (wanted: LlmRequest) =>
        piece(services, progress, client, patience, llmCall, wanted, (events) => follow(events.flatMap(pieces.push)))
      let { ending, usage } = yield* ask(asked)
      for (;;) {
        const less = showingLess(ending, asked)
        if (less === undefined || (yield* Budget.usedUp(services, progress)) !== undefined) break
        yield* warn(services, less.warning)
        if (less.maxShown !== undefined) progress.maxShown = less.maxShown
        asked = less.request
        ;({ ending, usage } = yield* ask(asked))
      }
      if (ending._tag === "Failed" && next !== undefined && mayBeElsewhere(ending.error)) {
        const used = yield* Budget.usedUp(services, progress)
        if (used !== undefined) {
          yield* follow(pieces.end())
          return { items: items(client), usage, llmCall, info: client.info, limit: used }
        }
        at++
        yield* warn(services, `${ending.error.message}; going on with ${nameOf(next.info)}`)
        continue
      }
      const rule = Ending.rules[ending._tag]
      if (rule.next === "commit") {
        if (ending._tag === "Refused") yield* warn(services, refusal(ending.detail))
        return { items: items(client), usage, llmCall, info: client.info, limit: undefined }
      }
      if (rule.next === "fail") return yield* failure(ending, response.items())
      yield* follow(pieces.cut())
      if (attempt > Ending.maxContinuations) {
        if (rule.usedUp === "fail") return yield* failure(ending, response.items(), attempt)
        yield* follow(pieces.end())
        const limit = ending._tag === "MaxTokens" ? "max_tokens" : "max_continuations"
        return { items: items(client), usage, llmCall, info: client.info, limit: { limit } }
      }
      const used = yield* Budget.usedUp(services, progress)
      if (used !== undefined) {
        yield* follow(pieces.end())
        return { items: items(client), usage, llmCall, info: client.info, limit: used }
      }
      items(client)
      yield* recordUsage(services, progress, turn, usage, client.info)
      note = ending._tag === "MaxTokens" ? limitNote : undefined
      yield* goOn(services, limitsOf(services, client), llmCall, attempt, ending, rule)
      attempt++
    }
  })
  const limit = services.limits.total_timeout ?? defaultLimits.total_timeout
  return yield* Effect.timeoutOrElse(collect, {
    duration: limit,
    orElse: () => Effect.fail(tookTooLong(services, limit, blocks.active() ? "stream" : "request", response.items()))
  })
})

/** Some vendors refuse without a word in the answer. */
const refusal = (detail: string | undefined): string =>
  `the model refused to answer${detail === undefined ? "" : ` (${detail})`}; its answer is the refusal`

/**
 * What is asked instead of a request that is refused, if images and documents may be why: what does not fit, or cannot be
 * read by the vendor, stays in the journal, and without this it would end every further run. Of what does not fit the
 * older half makes room, until nothing is left; what of it cannot be read nobody says, so all of it goes.
 */
const showingLess = (
  ending: Ending.Ending,
  request: LlmRequest
): { readonly request: LlmRequest; readonly warning: string; readonly maxShown?: number } | undefined => {
  const shown = Shown.count(request)
  if (shown === 0) return undefined
  if (ending._tag === "Overflow" && ending.error !== undefined && ending.error.phase !== "stream") {
    const maxShown = Math.floor(shown / 2)
    return {
      maxShown,
      request: Shown.atMost(request, maxShown),
      warning:
        `${ending.error.message}; asking again with ${maxShown === 0 ? "none" : `the newest ${maxShown}`} of the ` +
        `${shown} images and documents of the conversation`
    }
  }
  return ending._tag === "Failed" && ending.error.reason === "Status" && unreadable.has(ending.error.status ?? 0)
    ? {
        request: Shown.inWords(request),
        warning: `${ending.error.message}; asking again without the images and documents of the conversation`
      }
    : undefined
}

/** The statuses with which vendors answer an image or a document that they do not take. */
const unreadable: ReadonlySet<number> = new Set([400, 413, 415, 422])

const isProof = (item: Response.GeneratedItem): boolean =>
  item.kind === "reasoning" && (item.signature !== undefined || item.encrypted_content !== undefined)

/** The pod's own limits are for its own model; those of another one are its own, as far as it has any. */
const limitsOf = (services: LegServices, client: LlmClient["Service"]): Limits =>
  client === services.client ? services.limits : (client.limits ?? services.limits)

/** One request, with all its attempts. */
const piece = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  client: LlmClient["Service"],
  { hasElsewhere, limits }: { readonly limits: Limits; readonly hasElsewhere: boolean },
  llmCall: number,
  request: LlmRequest,
  follow: (events: ReadonlyArray<LlmEvent>) => Effect.Effect<void>
) {
  const { journal } = services
  let usage: LlmUsage = {}
  let ending: Ending.Ending = { _tag: "Complete" }
  const onEvents = (events: ReadonlyArray<LlmEvent>): Effect.Effect<void> => {
    for (const event of events) {
      if (event.type === "usage") usage = merge(usage, event.usage)
      if (event.type === "stop") ending = Ending.ofStop(event.reason, event.detail)
    }
    return follow(events)
  }
  const waiting = Effect.map(Clock.currentTimeMillis, (now) => journal.setWaitingOn({ kind: "model", since_ms: now }))
  const result = yield* patient(client, limits, onRetry(services, llmCall), () => waiting, {
    onGate: onGate(services),
    hasElsewhere
  })(request).pipe(
    Stream.runForEachArray(onEvents),
    // Also for a response that was cut or cancelled: its tokens were spent.
    Effect.ensuring(Effect.suspend(() => reportUsage(services, progress, usage, client.info))),
    Effect.result
  )
  journal.setWaitingOn(null)
  if (Result.isFailure(result)) ending = Ending.ofError(result.failure)
  return { ending, usage }
})

/** Tells that the rest is asked for, and waits if the rule says so. */
const goOn = Effect.fnUntraced(function* (
  { journal }: LegServices,
  limits: Limits,
  llmCall: number,
  attempt: number,
  ending: Ending.Ending,
  rule: Ending.Rule
) {
  const waitMs = rule.waits === true ? Math.floor((yield* Random.next) * (ceiling(limits, attempt) + 1)) : 0
  const now = yield* Clock.currentTimeMillis
  const reason = Ending.reasonOf(ending)
  if (waitMs > 0) journal.setWaitingOn({ kind: "retry", since_ms: now, until_ms: now + waitMs })
  yield* journal.emit(
    { event: "llm_call_end", data: { llm_call: llmCall } },
    {
      event: "llm_continuation",
      data: {
        llm_call: llmCall,
        attempt,
        max_attempts: Ending.maxContinuations,
        reason,
        ...(waitMs === 0 ? {} : { wait_ms: waitMs })
      }
    }
  )
  yield* Effect.logInfo("the answer is not whole, asking for the rest", { attempt, wait_ms: waitMs, reason })
  yield* Effect.sleep(waitMs)
})

const tookTooLong = (
  { client }: LegServices,
  limit: Duration.Duration,
  phase: "request" | "stream",
  items: ReadonlyArray<Response.ResponseItem>
): RunFailure =>
  ofLlm(
    new LlmError({
      reason: "Timeout",
      provider: client.info.provider,
      message: `${client.info.provider} (${client.info.model}): no whole answer for ${seconds(Duration.toMillis(limit))}`,
      hint: "if answers take longer, raise model.limits.total_timeout in the manifest"
    }),
    phase,
    isShown(items) ? [lost] : []
  )

const lost = "the part of the answer that was shown is not in the log"

const isShown = (items: ReadonlyArray<Response.ResponseItem>): boolean =>
  items.some(({ item }) => item.kind === "message")

/** What clients have seen of the answer is not kept, and the error says so. */
const failure = (
  ending: Ending.Ending,
  items: ReadonlyArray<Response.ResponseItem>,
  pieces = 1
): Effect.Effect<never, RunFailure> => {
  if (ending._tag === "Overflow") {
    return Effect.fail(overflow(Ending.reasonOf(ending), ending.error === undefined ? "stream" : "request"))
  }
  if (!("error" in ending)) return Effect.die(new Error(`no failure: ${ending._tag}`))
  const { error } = ending
  return Effect.fail(
    ofLlm(error, error.phase ?? "request", [
      ...(pieces === 1 ? [] : [`gave up: it broke off ${pieces} times in a row`]),
      ...(isShown(items) ? [lost] : [])
    ])
  )
}
