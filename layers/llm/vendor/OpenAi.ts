/** What the two APIs of OpenAI share: where they are, the SDK's client, and what their error codes mean. */
import type OpenAI from "openai"
import * as Redacted from "effect/Redacted"
import * as Settings from "./Settings.ts"
import type { VendorOptions } from "./Vendor.ts"

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
      fetchOptions: Settings.fetchOptions()
    })
  })

/** What the error codes are as HTTP statuses, for errors inside an open stream. */
export const errorStatus: Readonly<Record<string, number>> = {
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
