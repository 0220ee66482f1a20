/** What the methods do that take the session to another place, and the one that takes something out of the inbox. */
import type { Command } from "./Command.ts"
import { targets } from "./Seen.ts"
import { phase, type Segment, type Undo } from "./State.ts"

import { acknowledged, behind, settle, type Walk } from "./Walk.ts"

/** The target that `pick` means among those that there are. */
export const pickOf = <A>(values: ReadonlyArray<A>, pick: number): A | undefined =>
  values[Math.min(values.length - 1, Math.floor(pick * values.length))]

export const rewind = (walk: Walk, { how, pick }: Extract<Command, { do: "rewind" }>): void => {
  const now = phase(walk.pod)
  if (now === "running") return walk.refuse("already_running")
  if (now === "paused") return walk.refuse("invalid_request")
  const target = pickOf(targets(walk.pod), pick)
  if (target === undefined || how === "no segment") return walk.refuse("not_found")
  if (how === "stale") return walk.refuse("conflict")
  if (how === "no input") return walk.refuse("not_found")
  if (!target.eligible) return walk.refuse("invalid_request")
  const gone = walk.pod.chain.slice(0, walk.pod.chain.findIndex(({ name }) => name === target.segment) + 1)
  const result = {
    truncated_to_entries: target.left,
    discarded_entries: gone.reduce((sum, { entries }) => sum + entries.length, 0) - target.left,
    tool_side_effect_warning: target.warns,
    ...acknowledged(walk)
  }
  walk.leave()
  const { chain } = walk.pod
  const at = chain.findIndex(({ name }) => name === target.segment)
  const kept = chain[at] as Segment
  const cut = { ...kept, entries: kept.entries.slice(0, target.left) }
  const under = chain.slice(at + 1)
  const back = { held: true, run: undefined }
  if (at === 0) walk.write(() => ({ ...back, chain: [cut, ...under], undo: { is: "entries", entries: kept.entries } }))
  else walk.goOnBehind([cut, ...under], { ...back, undo: { is: "chain", chain } })
  walk.accept(result)
  settle(walk)
}

export const undo = (walk: Walk): void => {
  const state = phase(walk.pod)
  if (state === "running") return walk.refuse("already_running")
  if (state === "paused") return walk.refuse("invalid_request")
  if (walk.pod.undo === undefined) return walk.refuse("conflict")
  const seq = acknowledged(walk)
  walk.leave()
  const [first, ...under] = walk.pod.chain as [Segment]
  const now = walk.pod.undo as Undo
  const back = { undo: undefined, held: true }
  if (now.is === "chain") walk.goOnBehind(now.chain, back)
  else walk.write(() => ({ ...back, chain: [{ ...first, entries: now.entries }, ...under] }))
  walk.accept({ entries: walk.pod.chain[0]?.entries.length, ...seq })
  settle(walk)
}

export const fork = (walk: Walk, { how, pick }: Extract<Command, { do: "fork" }>): void => {
  const { chain, pods } = walk.pod
  if (chain.length === 0) return walk.refuse("invalid_request")
  if (how === "no input") return walk.refuse("not_found")
  const target = pick === undefined ? undefined : pickOf(targets(walk.pod), pick)
  if (pick !== undefined && target?.eligible !== true) return walk.refuse("not_found")
  if (how === "taken") return walk.refuse("conflict")
  const name = `fork${pods.length}`
  const segment = walk.name("segment")
  walk.accept({ pod_name: name, session_id: walk.name("session"), segment_id: segment })
  const place = target === undefined ? 0 : chain.findIndex((under) => under.name === target.segment)
  const base = chain[place] as Segment
  const known = target === undefined ? base.entries : base.entries.slice(0, target.left)
  const cutsRun = target === undefined && phase(walk.pod) === "running"
  walk.set({ pods: [...pods, name] })
  walk.forked = {
    ...walk.pod,
    name,
    chain: behind(segment, [{ ...base, entries: known }, ...chain.slice(place + 1)], cutsRun),
    foreign: 0,
    torn: false,
    inbox: [],
    receipts: {},
    run: undefined,
    held: false,
    undo: undefined
  }
}

export const remove = (walk: Walk, { how, pick }: Extract<Command, { do: "remove" }>): void => {
  const item = how === "gone" ? undefined : pickOf(walk.pod.inbox, pick)
  if (item === undefined) return walk.refuse("not_found")
  walk.write((at) => ({ inbox: at.inbox.filter(({ id }) => id !== item.id) }))
  walk.accept({ item_id: item.id })
  settle(walk)
}
