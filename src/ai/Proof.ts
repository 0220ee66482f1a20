/**
 * What a provider has put beside a part of its answer, and wants to see again on that very part: signatures, encrypted
 * reasoning, ids of items. Effect calls it metadata on the way out, and options on the way back.
 *
 * The journal has a place for such things in reasoning only. Of reasoning it is the `signature`; of a text or a call it
 * is the `encrypted_content` of an empty reasoning before it. It is kept whole, as JSON: what is in it is the provider's.
 */
import type * as Response from "effect/ai/Response"
import type * as Schema from "effect/Schema"

export type Metadata = Response.ProviderMetadata

/** Undefined if there is nothing to keep. */
export const toText = (metadata: Metadata): string | undefined => {
  const told = Object.entries(metadata).filter(([, value]) => value !== null && value !== undefined)
  return told.length === 0 ? undefined : JSON.stringify(Object.fromEntries(told))
}

/** Nothing, where the text is not one of ours: the proof of another maker is no proof. */
export const fromText = (text: string): Metadata => {
  try {
    const value = JSON.parse(text) as Schema.Json
    return isObject(value) ? (value as Metadata) : {}
  } catch {
    return {}
  }
}

/** What start, deltas and end of one part say, put together the way Effect's own history does. */
export const merge = (earlier: Metadata, later: Metadata | undefined): Metadata => {
  const merged: Record<string, Metadata[string]> = { ...earlier }
  for (const [provider, value] of Object.entries(later ?? {})) {
    const before = merged[provider]
    merged[provider] = isObject(before) && isObject(value) ? { ...before, ...value } : value
  }
  return merged
}

const isObject = (value: Schema.Json | undefined): value is Schema.JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)
