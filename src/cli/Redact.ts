/**
 * Takes secrets out of a log that leaves the machine: the values of variables that are named like keys, and what has the
 * shape of a credential. It finds what is known to it; it proves nothing about what is left.
 */
import type * as Schema from "effect/Schema"

type Env = Readonly<Record<string, string | undefined>>

const mark = "[redacted]"

const keyLike =
  /(?:^|_)(?:API_?KEY|ACCESS_KEY|PRIVATE_KEY|KEY|SECRETS?|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)(?:_|$)/i
/** A shorter value is found in too many places that have nothing to do with it. */
const shortest = 8

/** `$1` is what stays. */
const shapes: ReadonlyArray<RegExp> = [
  /()-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[^]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)/g,
  /(authorization\\?["']?\s*[:=]\s*\\?["']?(?:(?:bearer|basic|token|digest)\s+)?)(?!\[redacted\])[A-Za-z0-9._~+/=-]{8,}/gi,
  /(\bbearer\s+)[A-Za-z0-9._~+/=-]{16,}/gi,
  // Of another shell than the one that exports: the pod's own keys may be in no variable here.
  /((?<![A-Za-z0-9_])(?:[A-Z0-9]+_)*(?:API_?KEY|(?:ACCESS|PRIVATE|SECRET|SIGNING|ENCRYPTION)_KEY|SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE)=\\?["']?)(?!\[redacted\])[^\s"'\\;&|<>(){}$]{8,}/g,
  /((?<![A-Za-z0-9])api[-_]?key\\?["']?\s*[:=]\s*\\?["']?)(?!\[redacted\])[A-Za-z0-9._-]{16,}/gi,
  /((?:password|passphrase|client_secret|secret_key|(?:access|refresh|auth|id)_token)\\?["']?\s*[:=]\s*\\?["'])(?!\[redacted\])[^\s"'\\]{8,}/gi,
  /(aws_secret_access_key\\?["']?\s*[:=]\s*\\?["']?)[A-Za-z0-9/+=]{40}/gi,
  /()\bsk-[A-Za-z0-9_-]{16,}/g,
  /()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /()\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /()\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /()\bAIza[A-Za-z0-9_-]{35}/g,
  /()\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g,
  /()\bglpat-[A-Za-z0-9_-]{20,}/g,
  /()\bnpm_[A-Za-z0-9]{36}/g,
  /()\bhf_[A-Za-z0-9]{30,}/g,
  /()\bgsk_[A-Za-z0-9]{40,}/g,
  /()\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}/g,
  /()\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}/g,
  /(:\/\/[^/@:\s"']+:)[^/@\s"']+(?=@)/g
]

export interface Redactor {
  /** The same value, without the secrets in any of its strings. */
  readonly clean: (json: Schema.Json) => Schema.Json
  /** How many were taken out so far. */
  readonly count: () => number
}

export const make = (env: Env): Redactor => {
  const values = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && value.length >= shortest && keyLike.test(name)
      ? [value, JSON.stringify(value).slice(1, -1)]
      : []
  )
  // A value that holds another one goes first.
  const known = Array.from(new Set(values)).toSorted((a, b) => b.length - a.length)
  let count = 0
  const cleanText = (text: string): string => {
    let clean = text
    for (const value of known) {
      const parts = clean.split(value)
      count += parts.length - 1
      clean = parts.join(mark)
    }
    for (const shape of shapes) {
      clean = clean.replace(shape, (_, kept: string) => {
        count += 1
        return kept + mark
      })
    }
    return clean
  }
  const clean = (json: Schema.Json): Schema.Json => {
    if (typeof json === "string") return cleanText(json)
    if (typeof json !== "object" || json === null) return json
    if (Array.isArray(json)) return json.map(clean)
    return Object.fromEntries(Object.entries(json).map(([key, value]) => [cleanText(key), clean(value)]))
  }
  return { clean, count: () => count }
}
