/** What a pod asks of its store: every append, with the entries in it and whether they had to survive a power cut. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import { type SegmentFile, SessionStore } from "../../src/session/SessionStore.ts"
import { names } from "./podBench.ts"

export interface Recorder {
  readonly wrap: (file: SegmentFile) => SegmentFile
  /** For each append that held an entry of this name: was it synced? */
  readonly syncsOf: (name: string) => ReadonlyArray<boolean>
  /** For each append so far. */
  readonly syncs: () => ReadonlyArray<boolean>
}

export const recorder = (): Recorder => {
  const appends: Array<{ readonly names: ReadonlyArray<string>; readonly sync: boolean }> = []
  return {
    wrap: (file) => ({
      ...file,
      append: (bytes, options) => {
        const lines = new TextDecoder().decode(bytes).split("\n").slice(0, -1)
        appends.push({ names: names(lines.map((line) => JSON.parse(line) as LogEntry)), sync: options.sync })
        return file.append(bytes, options)
      }
    }),
    syncsOf: (name) => appends.filter((append) => append.names.includes(name)).map(({ sync }) => sync),
    syncs: () => appends.map(({ sync }) => sync)
  }
}

/** The same store, which claims to sync and whose files are recorded. */
export const recorded = (memory: MemoryStore.MemoryStore, { wrap }: Recorder): MemoryStore.MemoryStore => ({
  ...memory,
  layer: Layer.provideMerge(
    Layer.effect(
      SessionStore,
      Effect.map(SessionStore, (real) =>
        SessionStore.of({
          ...real,
          syncs: true,
          create: (ref) => Effect.map(real.create(ref), wrap),
          open: (ref) => Effect.map(real.open(ref), wrap)
        })
      )
    ),
    memory.layer
  )
})
