/** A pod on its way: the states that it passes through, one for each write, and the answer that it gives. */
import { type Entry, type Name, phase, type Pod, type Segment, type Undo } from "./State.ts"

export type Answer =
  | { readonly ok: true; readonly result: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly code: string }
/** Collects the states of a pod on its way. */
export class Walk {
  readonly states: Array<Pod>
  answer: Answer | undefined
  accepted = 0
  forked: Pod | undefined

  constructor(from: Pod) {
    this.states = [from]
  }

  get pod(): Pod {
    return this.states.at(-1) as Pod
  }

  /** Not on disk, and therefore part of the same state. */
  set(fields: Partial<Pod>): void {
    this.states[this.states.length - 1] = { ...this.pod, ...fields }
  }

  name(what: string): Name {
    this.set({ made: this.pod.made + 1 })
    return `§${what}${this.pod.made}`
  }

  /** One write. Behind what somebody else has written the pod does not go on: it begins another segment. */
  write(change: (pod: Pod) => Partial<Pod>): void {
    this.push(this.pod.chain.length === 0 || !isOurs(this.pod) ? this.another() : {}, change)
  }

  /** Leaves a segment that somebody else has written to, before anything else happens. */
  leave(): void {
    if (!isOurs(this.pod)) this.push(this.another(), () => ({}))
  }

  private another(): Partial<Pod> {
    const { chain, undo: last } = this.pod
    const [first, ...under] = chain
    const undo: Undo | undefined =
      last?.is === "entries" && first !== undefined
        ? { is: "chain", chain: [{ ...first, entries: last.entries }, ...under] }
        : last
    return { chain: behind(this.name("segment"), chain), foreign: 0, torn: false, undo }
  }

  /** One write, of a segment that takes the place of the one that is written now. */
  goOnBehind(chain: ReadonlyArray<Segment>, fields: Partial<Pod>): void {
    this.push({ ...fields, chain: behind(this.name("segment"), chain) }, () => ({}))
  }

  private push(before: Partial<Pod>, change: (pod: Pod) => Partial<Pod>): void {
    const ready = { ...this.pod, ...before }
    this.states.push({ ...ready, ...change(ready) })
  }

  accept(result: Readonly<Record<string, unknown>>): void {
    this.answer = { ok: true, result }
    this.accepted = this.states.length - 1
  }

  refuse(code: string): void {
    this.answer = { ok: false, code }
  }
}

/** Nobody else has written to the file. */
const isOurs = ({ foreign, torn }: Pod): boolean => foreign === 0 && !torn

const opened = (name: Name): Segment => ({ name, entries: [{ is: "start" }, { is: "scope" }], cutsRun: false })

/** A segment that goes on behind others. Those that say nothing themselves are passed over. */
export const behind = (name: Name, chain: ReadonlyArray<Segment>, cutsRun = false): ReadonlyArray<Segment> => {
  const [first, ...under] = chain
  const saysNothing = under.length > 0 && first?.entries.every(({ is }) => is === "start" || is === "scope") === true
  return saysNothing ? behind(name, under, cutsRun || first.cutsRun) : [{ ...opened(name), cutsRun }, ...chain]
}

export const log = ({ chain }: Pod, ...entries: ReadonlyArray<Entry>): Pick<Pod, "chain"> => {
  const [first, ...under] = chain as [Segment, ...ReadonlyArray<Segment>]
  return { chain: [{ ...first, entries: [...first.entries, ...entries] }, ...under] }
}

export const acknowledged = (walk: Walk) => ({ accepted_seq: walk.name("seq"), synced: true })

/** Where nothing waits that would start by itself, nothing is held. */
export const isHeld = ({ held, inbox }: Pod): boolean => held && inbox.some(({ mode }) => mode !== "quiet")

export const settle = (walk: Walk): void => {
  if (phase(walk.pod) !== "running") walk.set({ held: isHeld(walk.pod) })
}
