/** Stores of segments in directories of their own, for tests that look at the files. */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import * as JsonLinesStore from "../../../layers/store/JsonLinesStore.ts"
import { type SegmentFile, type SegmentRef, SessionStore } from "../../../src/session/SessionStore.ts"
import { refOf } from "./SessionStoreContract.ts"

export const ref = refOf(1, 2)

/** The place of a segment's file. */
export const pathIn = (sessionsDir: string, { segmentId, sessionId }: SegmentRef) =>
  Path.join(sessionsDir, sessionId, `${segmentId}.jsonl`)

/** All of it lies in `root`, which whoever calls removes. */
export const tempSessions = () => {
  const root = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-pod-test-"))
  const freshDir = () => Path.join(Fs.mkdtempSync(Path.join(root, "x-")), "data", "sessions")
  const withStore = <A, E>(body: (store: SessionStore["Service"], sessionsDir: string) => Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      const sessionsDir = freshDir()
      return Effect.flatMap(SessionStore, (store) => body(store, sessionsDir)).pipe(
        Effect.provide(JsonLinesStore.layer({ sessionsDir }))
      )
    })
  const withFile = <A, E>(body: (file: SegmentFile, sessionsDir: string) => Effect.Effect<A, E>) =>
    withStore((store, sessionsDir) =>
      Effect.scoped(Effect.flatMap(store.create(ref), (file) => body(file, sessionsDir)))
    )
  return { root, freshDir, withStore, withFile }
}
