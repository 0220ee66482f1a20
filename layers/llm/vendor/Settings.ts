/** Reads a vendor's options: where the server is, whether they can work at all, and how long Node's HTTP client waits. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { defaultLimits } from "../../../src/llm/Limits.ts"
import { LlmError } from "../../../src/llm/LlmError.ts"
import type { Vendor, VendorOptions } from "./Vendor.ts"

/** The SDKs want a time limit of their own; this is the longest that a timer can hold (24 days). */
export const noSdkTimeout = 2_147_483_647

/** Fails with reason `Config`. The message never holds the key. */
export const check = (
  provider: string,
  options: VendorOptions,
  defaults: { readonly baseUrl: string; readonly keyVariable: string }
): Effect.Effect<{ readonly vendor: Vendor; readonly baseUrl: string }, LlmError> =>
  Effect.suspend(() => {
    const fail = (message: string, hint: string) =>
      Effect.fail(new LlmError({ reason: "Config", provider, message: `${provider}: ${message}`, hint }))
    const baseUrl = options.baseUrl ?? defaults.baseUrl
    let url: URL
    try {
      url = new URL(baseUrl)
    } catch {
      return fail("model.base_url is not a URL", 'expected something like "http://127.0.0.1:8080"')
    }
    const key = options.apiKey === undefined ? undefined : Redacted.value(options.apiKey)
    if (key === undefined && options.baseUrl === undefined) {
      return fail(
        "there is no API key",
        `set ${defaults.keyVariable}, or set model.base_url to a server that needs no key`
      )
    }
    if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
      return fail(
        "the API key is empty or has a character that no key has, such as a line break",
        `check the value of ${defaults.keyVariable}, or of the variable that model.auth names`
      )
    }
    return Effect.succeed({ baseUrl, vendor: { provider, host: url.host, key: options.apiKey } })
  })

/**
 * A redirect is not followed: the key would go along to a host that nobody named.
 *
 * Node's HTTP client gives up after five minutes without headers or bytes. Our limits come from the manifest and may
 * be longer, so the client gets a connection pool that only limits how long it connects. Where the program has put another one in
 * place (a proxy), that one stays.
 */
export const fetchOptions = (
  connectTimeout: Duration.Duration = defaultLimits.connect_timeout
): { readonly redirect: "manual"; readonly dispatcher?: never } => {
  const redirect = "manual"
  // Node loads its HTTP client, and with it the default pool, when one of its globals is first touched.
  void globalThis.Headers
  // Its version 8 (Node 26) has another interface for pools, and another place for the one that is in use.
  const generation = Number.parseInt(process.versions["undici"] ?? "", 10) >= 8 ? 2 : 1
  const current: unknown = Reflect.get(globalThis, Symbol.for(`undici.globalDispatcher.${generation}`))
  if (typeof current !== "object" || current === null || current.constructor.name !== "Agent") {
    return { redirect }
  }
  // The class is not exported by Node; the instance is the only way to it.
  const Agent = current.constructor as new (options: object) => object
  const limits = { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: Duration.toMillis(connectTimeout) } }
  // Typed as nothing: the SDKs know several types of dispatcher that do not fit each other.
  return { redirect, dispatcher: new Agent(limits) as never }
}

/** Loads at the first call and remembers. A load that failed is tried again by the next call. */
export const once = <A>(load: () => Promise<A>): (() => Promise<A>) => {
  let loading: Promise<A> | undefined
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  }
}
