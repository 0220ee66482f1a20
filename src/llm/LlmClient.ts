/**
 * The model behind a pod.
 *
 * `stream` makes one attempt and nothing else: waiting, retrying and time limits are `Patience`'s.
 * Interrupting the stream closes the connection to the vendor; when the interrupt returns, it is closed.
 * The first element arrives with the vendor's first event; an error before it means that no answer had begun.
 *
 * `alive` is called when the connection shows life that is no event: when the headers of the answer are here, and at
 * keep-alives. It tells a server that thinks from one that hangs. A client that cannot tell never calls it.
 */
import * as Context from "effect/Context"
import type * as Stream from "effect/Stream"
import type { Prices } from "./Cost.ts"
import type { Gate } from "./Gate.ts"
import type { Limits } from "./Limits.ts"
import type { LlmError } from "./LlmError.ts"
import type { LlmEvent } from "./LlmEvent.ts"
import type { LlmRequest } from "./LlmRequest.ts"

/** What clients are told about the model. */
export interface ModelInfo {
  /** `anthropic`, `openai_chat`, `offline`, `scripted`, … */
  readonly provider: string
  readonly model: string
  /** Tokens. */
  readonly contextWindow: number
  /** It is sent images that tools return. Default false. */
  readonly vision?: boolean
  /** It is sent PDF documents that tools return. Default: as `vision`. */
  readonly documents?: boolean
  /** Undefined where nobody has said them: then no cost is told. */
  readonly prices?: Prices
  /** Host and port of the server, where there is one. */
  readonly endpoint?: string
}

/** For people and for the journal: `anthropic/claude-sonnet-5-5`. */
export const nameOf = ({ model, provider }: ModelInfo): string => `${provider}/${model}`

/** Whose proofs a model takes back: signatures and encrypted reasoning of one origin are nothing to another. */
export const originOf = ({ endpoint, provider }: ModelInfo): string =>
  endpoint === undefined ? provider : `${provider}@${endpoint}`

export interface Model {
  readonly info: ModelInfo
  readonly stream: (request: LlmRequest, alive?: () => void) => Stream.Stream<LlmEvent, LlmError>
  /** Which all requests to the same endpoint pass. Without one, nobody else is thought of. */
  readonly gate?: Gate
  /** How patient one is with this model. Without a word on it, as with the pod's own. */
  readonly limits?: Limits
  /** Models to turn to, in order, when this one cannot be had. */
  readonly fallbacks?: ReadonlyArray<Model>
}

export class LlmClient extends Context.Service<LlmClient, Model>()("effect-pod/llm/LlmClient") {}
