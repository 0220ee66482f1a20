/**
 * Idempotence: a `run` or `notify` with a key that was accepted before gets the stored answer and does nothing again.
 *
 * Receipts are journalled with what they acknowledge. The number of the accepting event belongs to one epoch: for an
 * input that an earlier run of the pod has accepted, `accepted_seq` is 0.
 */
import type * as Schema from "effect/Schema"
import type { Receipt } from "../protocol/PodRecord.ts"
import type { Answer } from "./PodHandle.ts"

export interface Keyed {
  readonly key: string
  readonly method: "run" | "notify"
  /** SHA-256, in hex, of the canonical JSON of the parameters without the key. */
  readonly digest: string
}

export class Receipts {
  private readonly stored: ReadonlyMap<string, Receipt>
  /** Full answers of this epoch, by key. */
  private readonly fresh = new Map<string, Schema.JsonObject>()

  private readonly synced: boolean

  constructor(stored: ReadonlyMap<string, Receipt>, synced: boolean) {
    this.stored = stored
    this.synced = synced
  }

  find(keyed: Keyed | undefined): Answer | undefined {
    const receipt = keyed === undefined ? undefined : this.stored.get(keyed.key)
    if (keyed === undefined || receipt === undefined) return undefined
    if (receipt.method !== keyed.method || receipt.digest !== keyed.digest) {
      return {
        ok: false,
        error: {
          code: "conflict",
          message: `key ${JSON.stringify(keyed.key)} was used for another ${receipt.method}`,
          hint: "use a new key for a new input"
        }
      }
    }
    return {
      ok: true,
      result: this.fresh.get(keyed.key) ?? { ...receipt.result, accepted_seq: 0, synced: this.synced }
    }
  }

  make(keyed: Keyed | undefined, result: Record<string, Schema.Json>): Receipt | undefined {
    return keyed === undefined ? undefined : { ...keyed, result }
  }

  remember(receipt: Receipt | undefined, result: Schema.JsonObject): void {
    if (receipt !== undefined) this.fresh.set(receipt.key, result)
  }
}

/** JSON with the keys of every object in order, so that equal payloads have equal bytes. */
export const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner
  )
