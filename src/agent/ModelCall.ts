/**
 * One generation: ask the model, let clients watch, and commit what came back, whole or not at all.
 *
 * A response that was cut or cancelled leaves nothing in the journal, so that nothing of it can come back later.
 */
import * as Effect from "effect/Effect"
import { originOf } from "../llm/LlmClient.ts"
import type { LlmRequest } from "../llm/LlmRequest.ts"
import { type Prefix, prefixOf } from "../llm/Prefix.ts"
import { type TranscriptOptions, transcript } from "../llm/Transcript.ts"
import { messageText, type ToolCallItem } from "../protocol/Item.ts"
import type { HistoryItem } from "../session/History.ts"
import type { Step } from "../session/Journal.ts"
import * as Answer from "./Answer.ts"
import * as Budget from "./Budget.ts"
import { type LegProgress, type LegServices, warn } from "./LegContext.ts"
import { usageSteps } from "./ModelReports.ts"
import { ofStorage, type RunFailure } from "./RunFailure.ts"
import { badArguments as answerTo, resultStep } from "./ToolResults.ts"

export interface ModelResponse {
  /** The model asked for tools. */
  readonly usesTools: boolean
  /** Calls that are not answered yet. */
  readonly calls: ReadonlyArray<ToolCallItem>
  /** What was said beside them. */
  readonly text: string
  readonly limit: Answer.Answer["limit"]
}

/** `prefix` of the request, if it was the pod's own model that answered. */
interface Asked extends Answer.Answer {
  readonly prefix: Prefix | undefined
}

export const modelCall = Effect.fn("ModelCall.run")(function* (
  services: LegServices,
  progress: LegProgress,
  turn: number
): Effect.fn.Return<ModelResponse, RunFailure> {
  const { journal } = services
  const ask = Effect.gen(function* () {
    const history = yield* Effect.mapError(journal.state.history.items, ofStorage)
    const prefix = yield* watchPrefix(services, assemble(services, history, { origin: originOf(services.client.info) }))
    const answer = yield* Answer.receive(services, progress, turn, (client, soFar, note) =>
      assemble(services, [...history, ...soFar], { note, origin: originOf(client.info) })
    )
    return { ...answer, prefix: answer.info === services.client.info ? prefix : undefined } satisfies Asked
  })
  const askShorter = Effect.fnUntraced(function* (error: RunFailure): Effect.fn.Return<Asked, RunFailure> {
    const isShorter = yield* services.makeRoom ?? Effect.succeed(false)
    if (!isShorter) return yield* error
    const used = yield* Budget.usedUp(services, progress)
    if (used === undefined) return yield* ask
    const { info } = services.client
    return { items: [], usage: {}, llmCall: journal.live.llmCalls - 1, info, limit: used, prefix: undefined }
  })
  const { info, items, limit, llmCall, prefix, usage } = yield* Effect.catchIf(ask, isTooLong, askShorter)
  const ours = { turn, run_id: progress.runId, leg: progress.leg }
  const steps: Array<Step> = [
    { emit: { event: "llm_call_end", data: { llm_call: llmCall } } },
    { emit: { event: "turn_end", data: { turn, result: "finished" } } }
  ]
  for (const { block, item, provider } of items) {
    steps.push({ kind: "assistant_item", item, block, ...(provider === undefined ? {} : { provider }), ...ours })
  }
  steps.push(...usageSteps(services, progress, turn, usage, info, prefix))
  // In one batch with the call: what was logged in place of bad arguments can then never be taken for a call to run.
  const calls: Array<ToolCallItem> = []
  for (const { badArguments, item } of items) {
    if (item.kind !== "tool_call") continue
    if (badArguments === undefined) calls.push(item)
    else steps.push(resultStep(progress, turn, item, answerTo(item.name, badArguments)))
  }
  const answersCalls = steps.some((step) => "kind" in step && step.kind === "tool_result")
  yield* Effect.mapError(journal.commit(steps, answersCalls), ofStorage)
  yield* Effect.logDebug("model answered", { turn, limit, items: items.length, calls: calls.length })
  const text = items.map(({ item }) => (item.kind === "message" ? messageText(item) : "")).join("")
  return { usesTools: items.some(({ item }) => item.kind === "tool_call"), calls, text, limit }
})

/** The prefix of this request; warns if it does not begin with that of the last one, which costs the vendor's cache. */
const watchPrefix = Effect.fnUntraced(function* (services: LegServices, request: LlmRequest) {
  const last = services.journal.state.prefix
  const again = last === undefined ? undefined : prefixOf(request, last.messages)
  if (again !== undefined && again.hash !== last?.hash) {
    yield* warn(
      services,
      "the request does not begin with the bytes of the last one: prompt, tools or model are others than before, " +
        "so the vendor reads the whole conversation anew"
    )
  }
  return prefixOf(request)
})

/** The conversation does not fit, and nothing of an answer has been seen. */
const isTooLong = ({ code, phase }: RunFailure): boolean => code === "provider_overflow" && phase === "request"

const assemble = (
  services: LegServices,
  history: ReadonlyArray<HistoryItem>,
  options: TranscriptOptions
): LlmRequest => ({
  system: services.journal.state.systemPrompt,
  messages: transcript(history, options),
  tools: services.toolbox.specs,
  config: services.config,
  cacheKey: services.journal.segmentId() ?? ""
})
