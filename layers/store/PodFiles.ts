/**
 * `PodStore` on files: `<podsDir>/<name>/metadata.json`, replaced atomically and synced.
 *
 * Updates of one pod are in order within the process; between processes the lease lets only one be its owner.
 */
import { isUtf8 } from "node:buffer"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { isPodName } from "../../src/manifest/PodName.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { createFile, isTemporaryOf, replaceFile } from "./AtomicFile.ts"
import { entriesOf, makePrivate, removeEmptyDirectory, removeFile, syncDirectory } from "./Directory.ts"
import { checkName, corrupt, decodeMetadata, type MetadataFields, mergeMetadata } from "./PodMetadataText.ts"
import { systemCode, systemError } from "./SystemError.ts"

export interface PodFilesOptions {
  /** Absolute. Made when the first pod is. */
  readonly podsDir: string
}

export const layer = (options: PodFilesOptions): Layer.Layer<PodStore> =>
  Layer.effect(
    PodStore,
    Effect.sync(() => make(options))
  )

const make = ({ podsDir }: PodFilesOptions): PodStore["Service"] => {
  const inOrder = oneAtATimePerName()
  const pathOf = (name: string) => Path.join(podsDir, name, "metadata.json")

  const get = Effect.fnUntraced(function* (name: string) {
    const path = pathOf(name)
    const text = yield* readText(path)
    return text === undefined ? Option.none() : Option.some(yield* decodeMetadata(path, name, text))
  })

  const update = Effect.fnUntraced(function* (name: string, fields: MetadataFields) {
    const path = pathOf(name)
    const merged = yield* mergeMetadata(path, name, yield* readText(path), fields)
    const changed = yield* makePrivate(Path.dirname(path))
    yield* replaceFile(path, merged, { sync: true })
    yield* Effect.forEach(changed, syncDirectory, { discard: true })
  })

  const create = Effect.fnUntraced(function* (name: string, fields: MetadataFields) {
    const path = pathOf(name)
    const changed = yield* makePrivate(Path.dirname(path))
    yield* createFile(path, yield* mergeMetadata(path, name, undefined, fields), changed)
  })

  const remove = Effect.fnUntraced(function* (name: string) {
    const path = pathOf(name)
    const left = (yield* entriesOf(Path.dirname(path))).filter((entry) => isTemporaryOf(path, entry.name))
    for (const entry of left) yield* removeFile(Path.join(Path.dirname(path), entry.name))
    yield* removeFile(path)
    yield* removeEmptyDirectory(Path.dirname(path))
  })

  return {
    create: Effect.fn("PodFiles.create")((name, fields) =>
      Effect.andThen(checkName("create", name), inOrder(name, create(name, fields)))
    ),
    remove: Effect.fn("PodFiles.remove")((name) =>
      Effect.andThen(checkName("remove", name), inOrder(name, Effect.uninterruptible(remove(name))))
    ),
    get: Effect.fn("PodFiles.get")((name) => Effect.andThen(checkName("get", name), get(name))),
    update: Effect.fn("PodFiles.update")((name, fields) =>
      Effect.andThen(checkName("update", name), inOrder(name, update(name, fields)))
    ),
    list: Effect.gen(function* () {
      const names = (yield* entriesOf(podsDir))
        .filter((entry) => entry.isDirectory() && isPodName(entry.name))
        .map((entry) => entry.name)
        .toSorted()
      const found = yield* Effect.forEach(
        names,
        (name) =>
          Effect.match(get(name), {
            onSuccess: Option.match({ onNone: () => [], onSome: (metadata) => [{ name, metadata }] }),
            onFailure: (error) => [{ name, error }]
          }),
        { concurrency: 16 }
      )
      return found.flat()
    }).pipe(Effect.withSpan("PodFiles.list"))
  }
}

/** Undefined if there is no such file. */
const readText = Effect.fnUntraced(function* (path: string) {
  const bytes = yield* Effect.tryPromise({
    try: async () => {
      try {
        return await Fs.readFile(path)
      } catch (cause) {
        if (systemCode(cause) === "ENOENT") return undefined
        throw cause
      }
    },
    catch: systemError("read", path)
  })
  // Bytes that are not text would come back from an update as something else.
  if (bytes !== undefined && !isUtf8(bytes)) return yield* corrupt(path, "it is not UTF-8 text")
  return bytes?.toString("utf8")
})

/** Keeps a semaphore only for the names that are being worked on. */
const oneAtATimePerName = () => {
  const busy = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()
  return <A, E>(name: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const slot = busy.get(name) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
        slot.users += 1
        busy.set(name, slot)
        return slot
      }),
      (slot) => slot.semaphore.withPermit(effect),
      (slot) =>
        Effect.sync(() => {
          slot.users -= 1
          if (slot.users === 0) busy.delete(name)
        })
    )
}
