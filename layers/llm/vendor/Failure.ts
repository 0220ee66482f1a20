/**
 * What can go wrong with a vendor, as `LlmError`.
 *
 * The SDKs throw errors of the same form, which is read here by its fields. A message names the host, the HTTP status
 * and the vendor's own words, at most 2 KiB of them, and never the key, whoever repeats it.
 */
import * as Redacted from "effect/Redacted"
import { LlmError, type LlmErrorReason } from "../../../src/llm/LlmError.ts"
import { isOverflow } from "../../../src/llm/Overflow.ts"
import { retryAfter } from "../../../src/llm/RetryAfter.ts"
import type { Vendor } from "./Vendor.ts"

const maxDetail = 2048

interface Extra {
  readonly status?: number
  readonly retryAfterMs?: number | undefined
  readonly hint?: string | undefined
}

export const make = (vendor: Vendor, reason: LlmErrorReason, detail: string, extra: Extra = {}): LlmError =>
  new LlmError({
    reason,
    provider: vendor.provider,
    message: `${vendor.provider} at ${vendor.host}: ${clean(vendor, detail)}`,
    ...(extra.status === undefined ? {} : { status: extra.status }),
    ...(extra.retryAfterMs === undefined ? {} : { retryAfterMs: extra.retryAfterMs }),
    ...(extra.hint === undefined ? {} : { hint: extra.hint })
  })

/** Before anything is cut off: half a key is not found any more. */
const withoutKey = (vendor: Vendor, text: string): string => {
  const key = vendor.key === undefined ? "" : Redacted.value(vendor.key)
  return key === "" ? text : text.replaceAll(key, "<key>")
}

/** A vendor's words on one line, without the key and not too long. */
export const clean = (vendor: Vendor, detail: string): string => {
  const line = withoutKey(vendor, detail).replace(/\s+/g, " ").trim()
  return line.length <= maxDetail ? line : `${line.slice(0, maxDetail)}…`
}

export const protocol = (vendor: Vendor, detail: string): LlmError =>
  make(vendor, "Protocol", `the answer is not what this vendor sends: ${detail}`, { hint: endpointHint(vendor) })

export const notJson = (vendor: Vendor, data: string): LlmError =>
  protocol(vendor, `an event that is not JSON: ${withoutKey(vendor, data).slice(0, 200)}`)

export const cut = (vendor: Vendor): LlmError => make(vendor, "Cut", "the answer broke off before its end")

/** The SDK rejected before there was a usable answer. `nowMs` is Unix time, for a `Retry-After` that is a date. */
export const whileOpening = (vendor: Vendor, cause: unknown, nowMs: number): LlmError => {
  const { code, headers, status } = facts(cause)
  if (status !== undefined) return ofStatus(vendor, status, vendorError(vendor, cause), headers, nowMs)
  if (code !== undefined && /^ERR_(MODULE|INVALID)/.test(code)) {
    return make(vendor, "Config", `the request could not be made: ${messageOf(cause)}`)
  }
  if (isConnectTimeout(cause)) {
    return make(vendor, "Connect", "no connection in time", {
      hint: "check that the server is reachable, and model.base_url; a slow one gets more time by model.limits.connect_timeout"
    })
  }
  if (code === "UND_ERR_HEADERS_TIMEOUT") return make(vendor, "Timeout", "no answer within Node's own time limit")
  if (code !== undefined || isConnectionError(cause)) {
    return make(vendor, "Connect", `cannot connect (${code ?? messageOf(cause)})`, {
      hint: "check that the server is running and reachable, and model.base_url"
    })
  }
  return make(vendor, "Config", `the request could not be made: ${messageOf(cause)}`)
}

/** The open stream broke, or the decoder refused it. */
export const whileReading = (vendor: Vendor, cause: unknown): LlmError =>
  cause instanceof LlmError ? cause : cut(vendor)

/** An error that the vendor reports inside the open stream. */
export const reported = (vendor: Vendor, type: string, message: string, status: number | undefined): LlmError => {
  const detail = `${type === "" ? "error" : type}: ${message}`
  if (isOverflow(type, message)) return make(vendor, "Overflow", detail)
  return make(vendor, "Refused", detail, status === undefined ? {} : { status })
}

export const notAnEventStream = (vendor: Vendor, type: string, received: string): LlmError => {
  const body = withoutKey(vendor, received)
  if (!/json/i.test(type)) return protocol(vendor, `${describePage(body)} where an event stream was expected`)
  const error = errorIn(parse(body))
  if (error === undefined) return protocol(vendor, `a JSON document where an event stream was expected: ${body}`)
  return reported(vendor, error.type, error.message, undefined)
}

const ofStatus = (
  vendor: Vendor,
  status: number,
  error: VendorError,
  headers: Headers | undefined,
  nowMs: number
): LlmError => {
  const words =
    error.type === "" || error.message.startsWith(error.type) ? error.message : `${error.type}: ${error.message}`
  const detail = `HTTP ${status}${words === "" ? "" : ` ${words}`}`
  const mayBeOverflow = status === 400 || status === 413 || status === 422
  if (mayBeOverflow && (status === 413 || isOverflow(error.type, error.message))) {
    return make(vendor, "Overflow", detail, { status })
  }
  return make(vendor, "Status", detail, {
    status,
    retryAfterMs: headers === undefined ? undefined : retryAfter((name) => headers.get(name), nowMs),
    hint: statusHint(vendor, status, error.message)
  })
}

const statusHint = (vendor: Vendor, status: number, message: string): string | undefined => {
  // Gemini says 400 to a key that it does not know.
  if (status === 401 || status === 403 || (status === 400 && /\bAPI key\b/.test(message))) {
    return "the key was refused: check the variable that holds it (model.auth.env in the manifest)"
  }
  if (status >= 300 && status < 400) return "the server points elsewhere and is not followed: check model.base_url"
  if (status === 404) return `check model.model_id; ${endpointHint(vendor)}`
  return undefined
}

const endpointHint = ({ provider }: Vendor): string => {
  const form =
    provider === "anthropic"
      ? "does not end in /v1"
      : provider === "gemini"
        ? "does not end in /v1beta"
        : "includes /v1"
  return `check model.base_url (for ${provider} it ${form})`
}

interface VendorError {
  readonly type: string
  readonly message: string
}

/** The vendor's own words in an HTTP error: from its JSON, else from the page or text that came instead. */
const vendorError = (vendor: Vendor, cause: unknown): VendorError => {
  const error = errorIn(field(cause, "error"))
  if (error !== undefined) return error
  const text = withoutKey(vendor, messageOf(cause))
    .replace(/^\d{3} ?/, "")
    .replace("status code (no body)", "")
  return { type: "", message: /^\s*</.test(text) ? `with ${describePage(text)}` : text }
}

/**
 * Finds `{type, message}` in an error object or in the `error` of a body. `code` tells more than `type`, if there is
 * one; Google's `code` is a number, and `status` is the word.
 */
const errorIn = (body: unknown): VendorError | undefined => {
  const nested = field(body, "error")
  if (typeof nested === "string") return { type: "", message: nested }
  const error = nested ?? body
  const message = field(error, "message")
  if (typeof message !== "string") return undefined
  const type = [field(error, "code"), field(error, "type"), field(error, "status")].find(
    (word) => typeof word === "string" && word !== ""
  )
  return { type: typeof type === "string" ? type : "", message }
}

const describePage = (body: string): string => {
  const title = /<title[^>]*>([^<]*)</i.exec(body)?.[1]?.trim()
  return title === undefined || title === "" ? "a web page" : `a web page (${title.slice(0, 100)})`
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const facts = (cause: unknown) => {
  const status = field(cause, "status")
  const headers = field(cause, "headers")
  return {
    status: typeof status === "number" ? status : undefined,
    headers: headers instanceof Headers ? headers : undefined,
    code: systemCode(cause)
  }
}

/** The code of the innermost cause that has one: `ECONNREFUSED`, `ENOTFOUND`, `UND_ERR_CONNECT_TIMEOUT`, … */
const systemCode = (cause: unknown): string | undefined => {
  let code: string | undefined
  for (let at = cause, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const own = field(at, "code")
    if (typeof own === "string" && /^[A-Z][A-Z0-9_]+$/.test(own)) code = own
  }
  return code
}

/** The SDKs of OpenAI and Anthropic name no code for it. */
const isConnectTimeout = (cause: unknown): boolean =>
  systemCode(cause) === "UND_ERR_CONNECT_TIMEOUT" || /^request timed out/i.test(messageOf(cause))

const isConnectionError = (cause: unknown): boolean =>
  cause instanceof Error && /^(connection error|fetch failed|terminated)/i.test(cause.message)
