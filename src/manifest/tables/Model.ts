/**
 * `[model]`: which model, where it is served, how it is paid for, and how long the pod waits for it.
 *
 * The same table serves helpers that may run on another model (`compaction.model`, `memory.extract_model`, …).
 * What it comes to, with the catalog and the environment, is decided in `../Model.ts`.
 */
import * as Schema from "effect/Schema"
import {
  Count,
  defaulted,
  DurationText,
  DurationWords,
  FilePath,
  matching,
  oneOf,
  optional,
  Positive,
  required,
  Text
} from "../Fields.ts"
import { Prices } from "./Prices.ts"

export const schemes = ["anthropic", "openai_chat", "openai_responses", "gemini", "offline", "scripted"] as const
export const Scheme = Schema.Literals(schemes)
export type Scheme = typeof Scheme.Type

const kind = <const Kind extends string>(word: Kind) =>
  required(Schema.tag(word), "`none`, `api_key`, `codex_oauth` or `secret_ref`.")

export const Auth = Schema.Union([
  Schema.Struct({ kind: kind("none") }),
  Schema.Struct({
    kind: kind("api_key"),
    env: optional(Text, "Variable that holds the key. Default: the provider's or the scheme's own, see below."),
    file: optional(FilePath, "File that holds the key, read if the variable is unset or empty; white space is trimmed.")
  }),
  Schema.Struct({ kind: kind("codex_oauth") }),
  Schema.Struct({ kind: kind("secret_ref"), ref: required(Text, "Name of a stored secret.") })
])
export type Auth = typeof Auth.Type

export const PromptCaching = Schema.Union([
  Schema.Struct({
    kind: required(Schema.tag("explicit"), "`explicit` (marks in the request) or `auto` (the vendor decides)."),
    max_breakpoints: required(Count, "How many marks a request may carry (`explicit` only).")
  }),
  Schema.Struct({
    kind: required(Schema.tag("auto"), "`explicit` (marks in the request) or `auto` (the vendor decides).")
  })
])

export const Capability = Schema.Struct({
  tool_calling: optional(oneOf("none", "sequential", "parallel"), "How the model calls tools."),
  structured_output: optional(oneOf("none", "json_object", "json_schema"), "What shapes of output it can be held to."),
  reasoning: optional(
    oneOf("effort", "budget_tokens", "both"),
    "How its reasoning is set; `worker.reasoning` of another form is not sent."
  ),
  vision: defaulted(Schema.Boolean, false, "It can see images."),
  documents: optional(Schema.Boolean, "It can see PDF documents; others get their text. Default: as `vision`."),
  prompt_caching: optional(PromptCaching, "How repeated prompts are cached.")
})
export type Capability = typeof Capability.Type

export const HttpUrl = Schema.String.check(
  Schema.makeFilter(
    (text: string) => {
      try {
        const { protocol } = new URL(text)
        return protocol === "http:" || protocol === "https:"
      } catch {
        return false
      }
    },
    { expected: "an http or https URL" }
  )
)

const ModelRef = matching(/^[^/]+\/.+$/, 'a reference "provider/model" such as "anthropic/claude-sonnet-5-5"')

const orElse = (value: string): string => `Default: the catalog's, else ${value}.`

const limitsIn = <Time extends Schema.Top>(time: Time) => ({
  connect_timeout: optional(time, `Until a connection stands. ${orElse("10 seconds")}`),
  header_timeout: optional(
    time,
    `From sending the request to the answer's headers, connecting included. ${orElse("20 seconds")}`
  ),
  first_event_timeout: optional(time, `From the headers to the first event. ${orElse("30 seconds")}`),
  idle_timeout: optional(time, `Between two events of one answer. ${orElse("90 seconds")}`),
  stall_timeout: optional(time, `Between two events, however many keep-alives come. ${orElse("10 minutes")}`),
  total_timeout: optional(time, `For one answer with all its attempts, waits and continuations. ${orElse("1 hour")}`),
  retry_budget: optional(
    time,
    `Time in which attempts may start; \`Retry-After\` may exceed it. ${orElse("40 seconds")}`
  ),
  max_attempts: optional(Positive, `Attempts of one call, the first one included. ${orElse("4")}`),
  max_retry_after: optional(time, `The longest \`Retry-After\` that is waited for. ${orElse("5 minutes")}`)
})

/** Every wait for a model has a limit. All of them can be interrupted while they last. */
export const ModelLimits = Schema.Struct(limitsIn(DurationText))
export type ModelLimits = typeof ModelLimits.Type

/** The same as a catalog has it. */
export const CatalogLimits = Schema.Struct(limitsIn(DurationWords))
export type CatalogLimits = typeof CatalogLimits.Type

export const ModelTable = Schema.Struct({
  ref: optional(ModelRef, "`provider/model` from the catalog. What is set beside it wins over the catalog."),
  fallback: optional(
    Schema.Array(ModelRef),
    "Models of the catalog to turn to, in order, when this one cannot be reached or is overloaded."
  ),
  scheme: optional(Scheme, "The dialect spoken to the server; required without `ref`."),
  base_url: optional(
    HttpUrl,
    "Where the server is: with `/v1` for the OpenAI schemes, without it for `anthropic` and `gemini`."
  ),
  model_id: optional(Text, "The vendor's name of the model; required without `ref` (not for `offline`, `scripted`)."),
  auth: optional(Auth, "How to authenticate; required without `ref` (not for `offline`, `scripted`)."),
  capability: optional(Capability, "What the model can do, where the catalog is wrong or silent."),
  context_window: optional(Positive, "Tokens. Default: the catalog's, else 200000."),
  max_context_window: optional(Positive, "Upper bound of the above, for example below a price step."),
  prices: optional(Prices, "What the vendor asks for tokens. Default: the catalog's; without one, no cost is told."),
  script: optional(FilePath, "What the `scripted` scheme plays: a JSON-lines file, one object per model call."),
  limits: defaulted(ModelLimits, {}, "How long to wait, and how often to try again.")
})
export type ModelTable = typeof ModelTable.Type
