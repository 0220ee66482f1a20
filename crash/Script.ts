/**
 * What a client of a campaign does: methods at random, each with its weight. A method that the program does not offer is
 * left alone from the first refusal on that says so.
 */
import type { NativeClient } from "../test/support/e2eClient.ts"
import type { Chance } from "./Chance.ts"
import type { Delivery, Input, Told } from "./Told.ts"

const weights = {
  run: 24,
  notify: 12,
  pause: 10,
  resume: 10,
  cancel: 8,
  again: 8,
  remove_inbox: 4,
  rewind_to: 6,
  undo_rewind: 4,
  fork: 3,
  intrude: 2
}

export interface Actor {
  readonly client: NativeClient
  readonly told: Told
  readonly chance: Chance
  /** Methods that this build refuses, whatever is asked. */
  readonly unavailable: Set<string>
  /** Somebody else writes to the journal. */
  readonly intrude: () => void
  /** A claim that does not hold. */
  readonly object: (claim: string) => void
}

type Result = Readonly<Record<string, unknown>>

/** The result, or undefined for a refusal. Rejects when the pod is gone before it answers. */
const ask = async ({ client, unavailable }: Actor, method: string, params?: object): Promise<Result | undefined> => {
  const { data } = await client.request(method, params)
  if (data.ok) return data.result as Result
  if (data.error.code === "invalid_request" && data.error.message.includes("not available")) unavailable.add(method)
  return undefined
}

/** Sends the input and keeps what it is told about it. */
const submit = async (actor: Actor, input: Input): Promise<void> => {
  const before = input.result
  const result = await ask(actor, input.method, input.params)
  if (result === undefined) {
    if (before !== undefined) actor.object(`input ${input.number} was accepted, and refused when it came again`)
    input.outcome = "refused"
    return
  }
  for (const name of ["run_id", "item_id"] as const) {
    if (before !== undefined && before[name] !== result[name]) {
      actor.object(`input ${input.number} got another ${name} when it came again`)
    }
  }
  if (result["synced"] !== true) actor.object(`input ${input.number} was accepted and not synced`)
  input.outcome = "accepted"
  input.result = result
}

/** One that is known gets its receipt, one that is not is accepted now; another text under its key is refused. */
const sendAgain = async (actor: Actor): Promise<void> => {
  const input = actor.told.keyed(actor.chance)
  if (input === undefined) return
  if (input.outcome === "unknown") input.sentAgain = true
  await submit(actor, input)
  if (input.outcome !== "accepted" || !actor.chance.percent(20)) return
  const other = input.method === "run" ? { input: [{ kind: "text", content: "another" }] } : { message: "another" }
  const result = await ask(actor, input.method, { ...other, key: input.key })
  if (result !== undefined) actor.object(`another input under the key of input ${input.number} was accepted`)
}

const rewind = async (actor: Actor): Promise<void> => {
  const listed = await ask(actor, "list_rewind_targets")
  const targets = (listed?.["targets"] ?? []) as ReadonlyArray<Result>
  const eligible = targets.filter((target) => target["eligible"] === true)
  if (listed === undefined) {
    if (actor.unavailable.has("list_rewind_targets")) actor.unavailable.add("rewind_to")
    return
  }
  if (eligible.length === 0) return
  const target = actor.chance.pick(eligible)
  await ask(actor, "rewind_to", { target: target["id"], expected_head_entries: target["expected_head_entries"] })
}

const removeItem = async (actor: Actor): Promise<void> => {
  const items = ((await ask(actor, "list_inbox"))?.["items"] ?? []) as ReadonlyArray<Result>
  if (items.length === 0) return
  const item = String(actor.chance.pick(items)["item_id"])
  // Counts as removed also if the answer never comes: then both is right. A refusal says nothing where another one has
  // asked for the same before.
  const isFirst = !actor.told.removed.has(item)
  actor.told.removed.add(item)
  const result = await ask(actor, "remove_inbox", { item_id: item })
  if (result !== undefined) actor.told.removed.add(item)
  else if (isFirst) actor.told.removed.delete(item)
}

const fork = async (actor: Actor): Promise<void> => {
  const name = `fork-${actor.chance.below(1_000_000)}`
  const result = await ask(actor, "fork", { pod_name: name })
  if (result !== undefined) actor.told.forks.push(name)
}

/** Does one thing. Rejects when the pod is gone before it answers. */
export const act = (actor: Actor): Promise<unknown> => {
  const { chance, told, unavailable } = actor
  const offered = Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [name, unavailable.has(name) ? 0 : weight])
  ) as typeof weights
  const hasKey = chance.percent(40)
  const name = chance.weighted(offered)
  switch (name) {
    case "run":
      return submit(actor, told.run(chance.pick<Delivery>(["reject", "queue", "queue", "steer", "steer"]), hasKey))
    case "notify":
      return submit(actor, told.notify(chance.percent(70), hasKey))
    case "again":
      return sendAgain(actor)
    case "rewind_to":
      return rewind(actor)
    case "remove_inbox":
      return removeItem(actor)
    case "fork":
      return fork(actor)
    case "intrude":
      // The pod notices when it writes the next time.
      return Promise.resolve(actor.intrude())
    case "pause":
    case "resume":
    case "cancel":
    case "undo_rewind":
      return ask(actor, name)
  }
}
