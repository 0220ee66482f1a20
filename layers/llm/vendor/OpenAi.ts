/** What the two APIs of OpenAI share: where they are, the SDK's client, and how they tell of effort, tokens and errors. */
import type OpenAI from "openai"
import * as Redacted from "effect/Redacted"
import type { LlmError } from "../../../src/llm/LlmError.ts"
import type { LlmUsage } from "../../../src/llm/LlmEvent.ts"
import type { LlmRequest, ToolSpec } from "../../../src/llm/LlmRequest.ts"
import * as Failure from "./Failure.ts"
import { count, object, string } from "./Json.ts"
import * as Settings from "./Settings.ts"
import type { Vendor, VendorOptions } from "./Vendor.ts"

export const defaults = { baseUrl: "https://api.openai.com/v1", keyVariable: "OPENAI_API_KEY" } as const

/** The vendor's own server, and not one that is compatible with it. */
export const isOwn = ({ baseUrl }: Pick<VendorOptions, "baseUrl">): boolean =>
  baseUrl === undefined || baseUrl.replace(/\/+$/, "") === defaults.baseUrl

/** Loads the SDK at the first call. Variables that it reads by itself (organisation, project, base URL) are not read. */
export const client = (options: VendorOptions, baseUrl: string): (() => Promise<OpenAI>) =>
  Settings.once(async () => {
    const { default: Client } = await import("openai")
    const key = options.apiKey === undefined ? undefined : Redacted.value(options.apiKey)
    return new Client({
      // The SDK insists on a key; without one, its header is taken out again.
      apiKey: key ?? "none",
      ...(key === undefined ? { defaultHeaders: { authorization: null } } : {}),
      adminAPIKey: null,
      baseURL: baseUrl,
      organization: null,
      project: null,
      webhookSecret: null,
      maxRetries: 0,
      timeout: Settings.noSdkTimeout,
      logLevel: "off",
      fetchOptions: Settings.fetchOptions(options.connectTimeout)
    })
  })

/** What the error codes are as HTTP statuses, for errors inside an open stream. */
const errorStatus: Readonly<Record<string, number>> = {
  rate_limit_exceeded: 429,
  rate_limit_error: 429,
  server_error: 500,
  internal_error: 500,
  internal_server_error: 500,
  service_unavailable: 503,
  overloaded: 503,
  overloaded_error: 529,
  timeout: 504
}

/** An effort level that may be sent, or why what is configured is not. Any word: the server knows which ones it takes. */
export const effortOf = (
  api: string,
  { capability, model }: VendorOptions,
  { reasoning }: LlmRequest["config"]
): { readonly effort: string | undefined; readonly ignored: ReadonlyArray<string> } => {
  if (reasoning === null) return { effort: undefined, ignored: [] }
  const ignored = (why: string) => ({
    effort: undefined,
    ignored: [`reasoning = ${JSON.stringify(reasoning)}: ${why}`]
  })
  if (typeof reasoning === "number") return ignored(`${api} takes an effort level, not a number of tokens`)
  if (capability?.reasoning === "budget_tokens") return ignored(`${model} takes a number of tokens`)
  return { effort: reasoning, ignored: [] }
}

/** The tools, if the model calls any, in the form that the API has for one. */
export const toolsOf = <T>(
  { capability }: VendorOptions,
  { tools }: LlmRequest,
  form: (tool: ToolSpec) => T
): { tools?: Array<T>; parallel_tool_calls?: false } =>
  capability?.tool_calling === "none" || tools.length === 0
    ? {}
    : { tools: tools.map(form), ...(capability?.tool_calling === "sequential" ? { parallel_tool_calls: false } : {}) }

/** A function without parameters still has to name none. */
export const parametersOf = ({ parameters }: ToolSpec) => ({ type: "object", properties: {}, ...parameters })

/** A count of the one API is called `input_tokens`, of the other `prompt_tokens`; what is not told is absent. */
export const usageOf = (report: unknown, names: { readonly input: string; readonly output: string }): LlmUsage => {
  const fields = object(report)
  const details = object(fields[`${names.input}_details`])
  const input = count(fields[names.input])
  const output = count(fields[names.output])
  const read = count(details["cached_tokens"]) ?? count(fields["prompt_cache_hit_tokens"])
  const written = count(details["cache_write_tokens"])
  return {
    ...(input === undefined ? {} : { inputTokens: input }),
    ...(output === undefined ? {} : { outputTokens: output }),
    ...(read === undefined ? {} : { cacheReadTokens: read }),
    ...(written === undefined ? {} : { cacheWriteTokens: written })
  }
}

/** An error inside an open stream: an object, or with some servers a mere text. `fallback` where it has no type. */
export const reported = (vendor: Vendor, error: unknown, fallback = ""): LlmError => {
  if (typeof error === "string") return Failure.reported(vendor, fallback, error, undefined)
  const fields = object(error)
  const code = fields["code"]
  const type = string(code) || string(fields["type"]) || fallback
  const status = typeof code === "number" ? code : errorStatus[type]
  return Failure.reported(vendor, type, string(fields["message"]) || "the vendor gives no reason", status)
}
