/** What clients and the model see of a pod. */
import { type Entry, type Item, type Name, phase, type Pod, story } from "./State.ts"

export interface Target {
  readonly segment: Name
  readonly entry: number
  readonly left: number
  readonly ordinal: number
  readonly eligible: boolean
  readonly text: string
  readonly warns: boolean
}

/** A message of a request. */
export type Message =
  | { readonly user: string }
  | { readonly note: string }
  | { readonly interrupted: string }
  | { readonly more: true }
  | { readonly said: string }
  | { readonly calls: ReadonlyArray<string> }
  | { readonly results: ReadonlyArray<string> }

export interface Seen {
  readonly status: "idle" | "running" | "paused"
  readonly held: boolean
  readonly inbox: ReadonlyArray<Item>
  readonly segment: Name | null
  readonly log: ReadonlyArray<Entry>
  readonly targets: ReadonlyArray<Target> | "already_running"
  /** What the model is asked now. */
  readonly request: ReadonlyArray<Message> | null
}

export const seen = (pod: Pod): Seen => ({
  status: phase(pod),
  held: phase(pod) !== "running" && pod.held,
  inbox: pod.inbox,
  segment: pod.chain[0]?.name ?? null,
  log: pod.chain[0]?.entries ?? [],
  targets: phase(pod) === "running" ? "already_running" : targets(pod),
  request: pod.run?.state === "asking" ? messages(pod) : null
})

/** Newest first. An input that has no invoke in front of it was sent into a turn. */
export const targets = (pod: Pod): ReadonlyArray<Target> => {
  let acted = false
  return pod.chain.flatMap(({ entries, name }) => {
    const found: Array<Target> = []
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i] as Entry
      if (entry.is === "call" || entry.is === "result") acted = true
      if (entry.is !== "input") continue
      const eligible = entries[i - 1]?.is === "invoke"
      const ordinal = entries.slice(0, i + 1).filter(({ is }) => is === "input").length
      const left = eligible ? i - 1 : i
      found.push({ segment: name, entry: i, left, ordinal, eligible, text: entry.text, warns: acted })
    }
    return found
  })
}

/** Every call is answered right behind the answer that made it; an answer that was not followed up asks for more. */
export const messages = (pod: Pod): ReadonlyArray<Message> => {
  const entries = story(pod)
  const how = new Map(entries.flatMap((entry) => (entry.is === "result" ? [[entry.id, entry.how] as const] : [])))
  const out: Array<Message> = []
  entries.forEach((entry, i) => {
    if (entry.is === "input") out.push({ user: entry.text })
    if (entry.is === "note") out.push({ note: entry.text })
    if (entry.is === "interrupt") out.push({ interrupted: entry.by })
    if (entry.is === "said") out.push({ said: entry.text })
    if (entry.is !== "call" || entries[i - 1]?.is === "call") return
    const calls: Array<string> = []
    for (let next = entries[i]; next?.is === "call"; next = entries[i + calls.length]) calls.push(next.id)
    out.push({ calls }, { results: calls.map((id) => `${id} ${how.get(id) ?? "none"}`) })
  })
  const last = out.at(-1)
  return last !== undefined && "said" in last ? [...out, { more: true }] : out
}
