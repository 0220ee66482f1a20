/**
 * `SessionStore` and `PodStore` in memory, with the contract of the files.
 *
 * The state belongs to the value that `make` returns, not to a pod: a pod that is started again on the same store finds
 * what the one before it has written. Nothing survives the process.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { PodStore } from "../../src/session/PodStore.ts"
import { type SegmentFile, type SegmentRef, SessionStore } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import { GrowingBytes } from "./GrowingBytes.ts"
import { checkName, decodeMetadata, mergeMetadata } from "./PodMetadataText.ts"
import { newestFirst } from "./SegmentOrder.ts"

export interface MemoryStore {
  /** Both services over this state, however often it is built. */
  readonly layer: Layer.Layer<SessionStore | PodStore>
  /** A copy of what is in a segment now, or undefined if there is none. */
  readonly bytes: (ref: SegmentRef) => Uint8Array | undefined
  /** The same as lines, without the newline at the end of each. */
  readonly lines: (ref: SegmentRef) => ReadonlyArray<string>
  /** Newest first. */
  readonly segments: () => ReadonlyArray<SegmentRef>
  /** What `cutTail` has put aside, by name. */
  readonly cutTails: () => ReadonlyMap<string, Uint8Array>
  /** Writes behind the end as somebody else would: a torn tail, or a foreign line. */
  readonly write: (ref: SegmentRef, bytes: Uint8Array) => void
  /** Cuts it off as somebody else would. */
  readonly truncate: (ref: SegmentRef, bytes: number) => void
}

interface Segment {
  readonly ref: SegmentRef
  readonly bytes: GrowingBytes
}

export const make = (): MemoryStore => {
  const segments = new Map<string, Segment>()
  const cutTails = new Map<string, Uint8Array>()
  const metadata = new Map<string, string>()
  const ordered = () => [...segments.values()].toSorted((a, b) => newestFirst(a.ref, b.ref))
  const services = Context.make(SessionStore, sessionStore(segments, cutTails, ordered)).pipe(
    Context.add(PodStore, podStore(metadata))
  )
  return {
    layer: Layer.succeedContext(services),
    bytes: (ref) => segments.get(nameOf(ref))?.bytes.slice(0, Infinity),
    lines: (ref) => {
      const bytes = segments.get(nameOf(ref))?.bytes.slice(0, Infinity)
      return bytes === undefined ? [] : new TextDecoder().decode(bytes).split("\n").slice(0, -1)
    },
    segments: () => ordered().map(({ ref }) => ref),
    cutTails: () => new Map(cutTails),
    write: (ref, bytes) => segments.get(nameOf(ref))?.bytes.append(bytes),
    truncate: (ref, bytes) => segments.get(nameOf(ref))?.bytes.truncate(bytes)
  }
}

/** Its own state for each build of the layer. To look into it, or to start a pod on it again, use `make`. */
export const layer: Layer.Layer<SessionStore | PodStore> = Layer.unwrap(Effect.sync(() => make().layer))

const nameOf = (ref: SegmentRef): string => `memory:${ref.sessionId}/${ref.segmentId}`

const sessionStore = (
  segments: Map<string, Segment>,
  cutTails: Map<string, Uint8Array>,
  ordered: () => ReadonlyArray<Segment>
): SessionStore["Service"] => ({
  syncs: false,
  create: (ref) =>
    Effect.suspend(() => {
      const name = nameOf(ref)
      if (segments.has(name)) return fail("Exists", "create", name, "there is a segment of this id already")
      const segment = { ref, bytes: new GrowingBytes() }
      segments.set(name, segment)
      return Effect.succeed(segmentFile(segment, segments, cutTails))
    }),
  open: (ref) =>
    Effect.suspend(() => {
      const name = nameOf(ref)
      const segment = segments.get(name)
      if (segment === undefined) return fail("NotFound", "open", name, "there is no such segment")
      return Effect.succeed(segmentFile(segment, segments, cutTails))
    }),
  link: (ref, sessionId) =>
    Effect.suspend(() => {
      const segment = segments.get(nameOf(ref))
      if (segment === undefined) return fail("NotFound", "link", nameOf(ref), "there is no such segment")
      const other = { sessionId, segmentId: ref.segmentId }
      if (!segments.has(nameOf(other))) segments.set(nameOf(other), { ref: other, bytes: segment.bytes })
      return Effect.void
    }),
  remove: (ref) =>
    Effect.sync(() => {
      const name = nameOf(ref)
      segments.delete(name)
      for (const side of cutTails.keys()) if (side.startsWith(`${name}.`)) cutTails.delete(side)
    }),
  list: Effect.sync(() => ordered().map(({ bytes, ref }) => ({ ...ref, bytes: bytes.length })))
})

const segmentFile = (
  { bytes, ref }: Segment,
  segments: ReadonlyMap<string, Segment>,
  cutTails: Map<string, Uint8Array>
): SegmentFile => {
  const path = nameOf(ref)
  return {
    ref,
    path,
    size: Effect.sync(() => bytes.length),
    append: (batch, { at }) =>
      Effect.suspend(() => {
        if (bytes.length !== at) {
          return fail("Moved", "append", path, `it has ${bytes.length} bytes, but its writer left it at ${at}`)
        }
        if (segments.get(path)?.bytes !== bytes) {
          return fail("Moved", "append", path, "it was removed or replaced while it was open")
        }
        bytes.append(batch)
        return Effect.void
      }),
    sync: Effect.void,
    isNamed: Effect.sync(() => segments.get(path)?.bytes === bytes),
    read: (from, to) => Effect.sync(() => bytes.slice(from, to)),
    retire: Effect.void,
    cutTail: (keep) =>
      Effect.suspend(() => {
        const tail = bytes.slice(keep, Infinity)
        if (keep < 0 || tail.length === 0)
          return fail("Moved", "cut tail", path, `there is no tail behind byte ${keep}`)
        const savedTo = freshName(cutTails, `${path}.torn-${keep}`)
        cutTails.set(savedTo, tail)
        bytes.truncate(keep)
        return Effect.succeed({ savedTo })
      })
  }
}

const freshName = (taken: ReadonlyMap<string, unknown>, base: string): string => {
  let name = base
  for (let n = 1; taken.has(name); n++) name = `${base}.${n}`
  return name
}

const fail = (reason: StorageError["reason"], operation: string, path: string, what: string) =>
  Effect.fail(new StorageError({ reason, operation, path, message: `${operation} failed for ${path}: ${what}` }))

const pathOf = (name: string): string => `memory:pods/${name}`

/** Kept as text, so that what is read back is what a file would give. */
const podStore = (metadata: Map<string, string>): PodStore["Service"] => {
  const get = Effect.fnUntraced(function* (name: string) {
    yield* checkName("get", name)
    const text = metadata.get(name)
    return text === undefined ? Option.none() : Option.some(yield* decodeMetadata(pathOf(name), name, text))
  })
  return {
    get,
    create: Effect.fnUntraced(function* (name, fields) {
      yield* checkName("create", name)
      const text = yield* mergeMetadata(pathOf(name), name, undefined, fields)
      if (metadata.has(name))
        return yield* fail("Exists", "create", pathOf(name), "there is a pod of this name already")
      metadata.set(name, text)
    }),
    remove: Effect.fnUntraced(function* (name) {
      yield* checkName("remove", name)
      metadata.delete(name)
    }),
    update: Effect.fnUntraced(function* (name, fields) {
      yield* checkName("update", name)
      metadata.set(name, yield* mergeMetadata(pathOf(name), name, metadata.get(name), fields))
    }),
    list: Effect.suspend(() =>
      Effect.forEach([...metadata].toSorted(), ([name, text]) =>
        decodeMetadata(pathOf(name), name, text).pipe(
          Effect.match({
            onSuccess: (decoded) => ({ name, metadata: decoded }),
            onFailure: (error) => ({ name, error })
          })
        )
      )
    )
  }
}
