/**
 * The controller's commits, and what it owes the journal.
 *
 * When the store refuses the record of a leg's end, clients are told and the record is owed: it is the first thing that
 * is written when the store is back, silently, because its event went out already.
 */
import * as Effect from "effect/Effect"
import type { Draft } from "../session/Announce.ts"
import type { Committed, CommitOptions, Journal, Step } from "../session/Journal.ts"
import type { StorageError } from "../session/StorageError.ts"

export interface Ledger {
  /** Always synced. What is owed goes in front; numbers in the answer count the caller's own steps. */
  readonly commit: (steps: ReadonlyArray<Step>, options?: CommitOptions) => Effect.Effect<Committed, StorageError>
  readonly owe: (entries: ReadonlyArray<Draft>) => void
  /** Writes what is owed, if anything is. What is decided from the state must be decided after this. */
  readonly settle: Effect.Effect<void, StorageError>
}

export const make = (journal: Journal): Ledger => {
  let owed: ReadonlyArray<Draft> = []
  const commit: Ledger["commit"] = (steps, options) =>
    Effect.suspend(() => {
      const late = owed
      const own = ({ line, seqs, synced }: Committed): Committed => ({
        line: line + late.length,
        seqs: seqs.slice(late.length),
        synced
      })
      const onPublish = (committed: Committed) => {
        owed = []
        options?.onPublish?.(own(committed))
      }
      return Effect.map(journal.commit([...late.map((silent) => ({ silent })), ...steps], true, { onPublish }), own)
    })
  return {
    commit,
    owe: (entries) => {
      owed = [...owed, ...entries]
    },
    settle: Effect.suspend(() => (owed.length === 0 ? Effect.void : Effect.asVoid(commit([]))))
  }
}
