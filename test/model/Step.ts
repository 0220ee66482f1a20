/**
 * What a command does to a pod: the answer, and every state that the pod passes through on its way to the next rest.
 *
 * Between two of those states lies one write. A pod that is killed on the way has come to one of them, and not further
 * back than where its answer was given.
 */
import type { Command } from "./Command.ts"
import { fork, remove, rewind, undo } from "./Editing.ts"
import {
  cutBy,
  type Entry,
  type HowAnswered,
  isAnswered,
  type Item,
  joining,
  type Name,
  openCalls,
  phase,
  type Pod,
  type Result,
  type Run,
  type Segment
} from "./State.ts"
import { acknowledged, type Answer, isHeld, log, settle, Walk } from "./Walk.ts"

export interface Way {
  /** Undefined for what is no method. */
  readonly answer: Answer | undefined
  /** The first is where it began; the last is where it rests. */
  readonly states: ReadonlyArray<Pod>
  /** Which of the states it has come to when it answers. */
  readonly accepted: number
  /** A pod that was forked off. */
  readonly forked: Pod | undefined
}

const answers = (pod: Pod, crashed: boolean): ReadonlyArray<Entry> =>
  openCalls(pod).map((id): Entry => {
    const how: HowAnswered = pod.begun.includes(id) ? (crashed ? "unknown" : "cut") : crashed ? "not run" : "stopped"
    return { is: "result", id, how }
  })

const ended = (run: Run, result: Result): ReadonlyArray<Entry> => [
  { is: "turn end" },
  {
    is: "end",
    run: run.id,
    leg: run.leg,
    result,
    crash: result === "interrupted" || (result === "paused" && run.byCrash)
  }
]

export const step = (pod: Pod, command: Command): Way => {
  const walk = new Walk(pod)
  switch (command.do) {
    case "run":
      run(walk, command)
      break
    case "notify":
      notify(walk, command)
      break
    case "pause":
    case "cancel":
      stop(walk, command)
      break
    case "resume":
      resume(walk)
      break
    case "answer":
      if (walk.pod.run?.state === "asking") answer(walk, command.how)
      break
    case "tool ends":
      if (walk.pod.run?.state === "tool") {
        const [id] = openCalls(walk.pod)
        walk.write((at) => log(at, { is: "result", id: id as string, how: "ok" }))
        ask(walk)
      }
      break
    case "rewind":
      rewind(walk, command)
      break
    case "undo rewind":
      undo(walk)
      break
    case "fork":
      fork(walk, command)
      break
    case "remove":
      remove(walk, command)
      break
    case "foreign write":
      if (pod.chain.length > 0 && !pod.torn) {
        walk.set(command.whole ? { foreign: pod.foreign + 1 } : { torn: true })
      }
      break
    case "restart":
    case "crash":
      throw new Error(`${command.do} is not a step of one pod`)
  }
  const { accepted, answer: given, forked, states } = walk
  return { accepted, answer: given, forked, states }
}

const runId = (walk: Walk) => ({ run_id: walk.name("run") })

/** True if the key is known, and the answer therefore given. */
const isKnown = (walk: Walk, key: string | undefined, payload: string): boolean => {
  const receipt = key === undefined ? undefined : walk.pod.receipts[key]
  if (receipt === undefined) return false
  if (receipt.payload !== payload) walk.refuse("conflict")
  else {
    const late = receipt.epoch === walk.pod.epoch ? {} : { accepted_seq: 0 }
    walk.accept({ ...receipt.result, ...late })
  }
  return true
}

const receipt = (pod: Pod, key: string | undefined, payload: string, result: Readonly<Record<string, unknown>>) =>
  key === undefined ? {} : { receipts: { ...pod.receipts, [key]: { payload, result, epoch: pod.epoch } } }

const run = (walk: Walk, { delivery, key, text }: Extract<Command, { do: "run" }>): void => {
  const payload = JSON.stringify(["run", text, delivery])
  if (isKnown(walk, key, payload)) return
  const waits = delivery === "queue" || delivery === "steer"
  const now = phase(walk.pod)
  if (now === "running" && !waits) return walk.refuse("already_running")
  if (now !== "idle" && waits) {
    const current = walk.pod.run as Run
    const result = {
      item_id: walk.name("item"),
      run_id: delivery === "steer" ? current.id : walk.name("run"),
      ...acknowledged(walk)
    }
    const item: Item = {
      id: result.item_id,
      kind: "run",
      mode: delivery,
      run: result.run_id,
      text,
      ...(key === undefined ? {} : { key })
    }
    walk.write((at) => ({ ...put(at, item), ...receipt(at, key, payload, result) }))
    walk.accept(result)
    return settle(walk)
  }
  const result = { ...runId(walk), ...acknowledged(walk) }
  begin(walk, { id: result.run_id, text }, (at) => receipt(at, key, payload, result))
  walk.accept(result)
  ask(walk)
}

const notify = (walk: Walk, { key, text, wake }: Extract<Command, { do: "notify" }>): void => {
  const payload = JSON.stringify(["notify", text, wake])
  if (isKnown(walk, key, payload)) return
  const result = { item_id: walk.name("item"), ...acknowledged(walk) }
  const item: Item = {
    id: result.item_id,
    kind: "notify",
    mode: wake ? "wake" : "quiet",
    text,
    ...(key === undefined ? {} : { key })
  }
  walk.write((at) => ({ ...put(at, item), ...receipt(at, key, payload, result) }))
  walk.accept(result)
  if (!wake || phase(walk.pod) !== "idle") return settle(walk)
  begin(walk, { id: walk.name("run") })
  ask(walk)
}

/** Begins a run: of an input, of an item that has waited to be one, or of a turn about what waits in the inbox. */
const begin = (
  walk: Walk,
  {
    id,
    item,
    released = false,
    text
  }: { readonly id: Name; readonly item?: Item; readonly text?: string; readonly released?: boolean },
  also: (pod: Pod) => Partial<Pod> = () => ({})
): void =>
  walk.write((at) => {
    const cut = cutBy(at)
    const [first] = at.chain as [Segment]
    const entries: ReadonlyArray<Entry> = [
      ...answers(at, false),
      ...(text !== undefined && cut !== undefined ? [{ is: "interrupt", by: cut } as const] : []),
      { is: "invoke", by: text === undefined ? "notify" : "user_send" },
      ...(text === undefined ? [] : [{ is: "input", text, run: id } as const])
    ]
    return {
      ...log(at, ...entries),
      ...also(at),
      inbox: at.inbox.filter((waiting) => waiting.id !== item?.id),
      held: text === undefined && !released && at.held,
      undo: undefined,
      run: {
        id,
        leg: 1,
        state: "preparing",
        part: false,
        produced: false,
        before: text === undefined ? undefined : { segment: first.name, entries: first.entries },
        taken: [],
        byCrash: false,
        attempts: 0
      }
    }
  })

/** What waits for this run is given to the model, and the model is asked. */
const ask = (walk: Walk): void => {
  const taken = joining(walk.pod)
  if (taken.length > 0) {
    walk.write((at) => {
      const current = at.run as Run
      const said = taken.map(
        ({ kind, text }): Entry => (kind === "run" ? { is: "input", text, run: current.id } : { is: "note", text })
      )
      return {
        ...log(at, ...said),
        inbox: at.inbox.filter((item) => !taken.includes(item)),
        run: { ...current, taken: [...current.taken, ...taken] }
      }
    })
  }
  walk.set({ run: { ...(walk.pod.run as Run), state: "asking", part: false } })
}

const answer = (walk: Walk, how: Extract<Command, { do: "answer" }>["how"]): void => {
  const current = walk.pod.run as Run
  const produced: Run = { ...current, produced: true }
  if (how === "fail") return end(walk, "failed")
  if (how === "part") return walk.set({ run: { ...produced, part: true } })
  if (how === "text" || current.part) {
    const text = current.part ? "half and whole" : "answer"
    walk.write((at) => ({ ...log(at, { is: "said", text }, { is: "usage" }), run: produced }))
    return end(walk, "finished")
  }
  const tools = how === "both" ? ["quick", "slow"] : [how]
  const ids = tools.map((tool, i) => `${tool}${walk.pod.calls + i}`)
  walk.set({ calls: walk.pod.calls + ids.length })
  walk.write((at) => ({
    ...log(at, ...ids.map((id): Entry => ({ is: "call", id })), { is: "usage" }),
    run: produced
  }))
  work(walk, ids)
}

/** Calls are begun together; a quick one ends at once. */
const work = (walk: Walk, ids: ReadonlyArray<string>): void => {
  walk.write((at) => ({ begun: [...at.begun, ...ids] }))
  for (const id of ids) if (id.startsWith("quick")) walk.write((at) => log(at, { is: "result", id, how: "ok" }))
  if (openCalls(walk.pod).length === 0) return ask(walk)
  walk.set({ run: { ...(walk.pod.run as Run), state: "tool" } })
}

const flowsOn = (result: Result) => result === "finished" || result === "paused"

const end = (walk: Walk, result: Result): void => {
  walk.write((at) => close(at, result))
  flow(walk)
}

const close = (at: Pod, result: Result): Partial<Pod> => {
  const current = at.run as Run
  return {
    ...log(at, ...(result === "paused" ? [] : answers(at, result === "interrupted")), ...ended(current, result)),
    run: result === "paused" ? { ...current, state: "paused", part: false, before: undefined } : undefined,
    held: at.held || !flowsOn(result)
  }
}

/** What comes next when nothing runs. */
const flow = (walk: Walk): void => {
  if (walk.pod.run === undefined && !walk.pod.held) startNext(walk, false)
  settle(walk)
}

/** An input that came too late for its run, or what has waited longest. `asked`: somebody lets the inbox flow. */
const startNext = (walk: Walk, asked: boolean): void => {
  const { inbox } = walk.pod
  const next = inbox.find(({ mode }) => mode === "steer") ?? inbox.find(({ mode }) => mode !== "quiet")
  if (next === undefined) return
  const id = next.kind === "notify" ? walk.name("run") : next.mode === "queue" ? (next.run as Name) : next.id
  begin(walk, { id, ...(next.kind === "run" ? { text: next.text, item: next } : {}), released: asked })
  if (asked) walk.accept({ run_id: id, leg: 1 })
  ask(walk)
}

const put = (at: Pod, item: Item): Partial<Pod> => ({ inbox: [...at.inbox, item], held: isHeld(at) })

const stop = (walk: Walk, command: Extract<Command, { do: "pause" | "cancel" }>): void => {
  const current = walk.pod.run
  if (current === undefined || command.named === "wrong") return walk.refuse("not_running")
  walk.accept({ run_id: current.id })
  if (current.state !== "paused") return interrupt(walk, command.do === "pause" ? "paused" : "cancelled")
  if (command.do === "pause") return
  walk.write((at) => close(at, "abandoned"))
  // The answer is given with the record.
  walk.accept({ run_id: current.id })
  settle(walk)
}

const interrupt = (walk: Walk, as: "paused" | "cancelled"): void => {
  stopRun(walk, as)
  flow(walk)
}

/** A run that has produced nothing is undone, and what it had taken waits again in its old place. */
const stopRun = (walk: Walk, as: "paused" | "cancelled"): void =>
  walk.write((at) => {
    const { before, produced, taken } = at.run as Run
    const [first, ...under] = at.chain as [Segment]
    if (before === undefined || produced) return close(at, as)
    // Its beginning stands in a segment that is left as it is.
    if (first.name !== before.segment) return close(at, "cancelled")
    return {
      chain: [{ ...first, entries: before.entries }, ...under],
      inbox: [...taken, ...at.inbox],
      run: undefined,
      held: true
    }
  })

const resume = (walk: Walk): void => {
  const current = walk.pod.run
  if (current === undefined) {
    if (!walk.pod.held) return walk.refuse("not_paused")
    return startNext(walk, true)
  }
  if (current.state !== "paused") return walk.refuse("already_running")
  walk.write((at) => ({ ...nextLeg(at, 0), held: false }))
  walk.accept({ run_id: current.id, leg: current.leg + 1 })
  goOn(walk)
}

const nextLeg = (at: Pod, attempts: number): Partial<Pod> => {
  const current = at.run as Run
  return {
    undo: undefined,
    run: {
      ...current,
      leg: current.leg + 1,
      state: "preparing",
      produced: true,
      taken: [],
      byCrash: false,
      attempts
    }
  }
}

/** What had begun when the leg before ended is not run again; what had not, is. An answer that is there is the last. */
const goOn = (walk: Walk): void => {
  const open = openCalls(walk.pod)
  const lost = open.filter((id) => walk.pod.begun.includes(id))
  if (lost.length > 0) {
    walk.write((at) => log(at, ...lost.map((id): Entry => ({ is: "result", id, how: "cut" }))))
  }
  const rest = open.filter((id) => !lost.includes(id))
  if (rest.length > 0) work(walk, rest)
  else if (isAnswered(walk.pod) && joining(walk.pod).length === 0) end(walk, "finished")
  else ask(walk)
}

/** Asked to stop, a pod cancels what it is at, and starts nothing any more. */
export const shutdown = (pod: Pod): Pod => {
  const walk = new Walk(pod)
  if (phase(pod) === "running") stopRun(walk, "cancelled")
  return walk.pod
}

/** Most legs of one run that starts of a pod begin by themselves. */
const attemptsBound = 3

/** What a start finds, and what it does about it. */
export const start = (found: Pod): Pod => {
  const walk = new Walk({ ...found, epoch: found.epoch + 1, foreign: 0, torn: false })
  // What is whole in the file is in the log, whoever wrote it.
  if (found.foreign > 0) {
    const lines = Array.from({ length: found.foreign }, (): Entry => ({ is: "foreign" }))
    walk.set({ ...log(walk.pod, ...lines), undo: undefined })
  }
  const { policy, run: cut } = walk.pod
  if (phase(walk.pod) === "running" && cut !== undefined) {
    if (policy === "idle") walk.write((at) => close(at, "interrupted"))
    else {
      walk.set({ run: { ...cut, byCrash: true } })
      walk.write((at) => close(at, "paused"))
    }
  }
  const { run: paused } = walk.pod
  if (policy === "resume" && paused?.byCrash === true && paused.attempts < attemptsBound) {
    walk.write((at) => nextLeg(at, paused.attempts + 1))
    goOn(walk)
  } else flow(walk)
  return walk.pod
}
