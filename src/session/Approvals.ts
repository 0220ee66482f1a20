/**
 * The approvals of a session, as its journal tells them: what waits, what was answered, and what an answer allows from
 * then on.
 *
 * An answer for the session belongs to the session. A restart, a rotation and a rewind keep it: a rewind takes words
 * back, not decisions. A fork is another session and asks again.
 */
import type { Allowance, ApprovalAnswer, ApprovalRecord } from "../protocol/Approval.ts"
import type { PodRecord } from "../protocol/PodRecord.ts"

type Payload = Extract<PodRecord, { readonly domain: "pod.approval" }>["payload"]

/** Answers that are remembered for those who answer too late. */
const decidedBound = 1_024

export class Approvals {
  private readonly waiting = new Map<string, ApprovalRecord>()
  private readonly decided = new Map<string, ApprovalAnswer>()
  private readonly granted = new Map<string, Allowance>()

  /** Those that wait for an answer, in the order in which they were asked for. */
  get open(): ReadonlyMap<string, ApprovalRecord> {
    return this.waiting
  }

  get allowed(): ReadonlyArray<Allowance> {
    return Array.from(this.granted.values())
  }

  /** How it was answered, if it was and that is not long ago. */
  answer(approvalId: string): ApprovalAnswer | undefined {
    return this.decided.get(approvalId)
  }

  allows(what: Allowance): boolean {
    return this.granted.has(keyOf(what))
  }

  apply(payload: Payload): void {
    if (payload.op === "requested") {
      const { op: _, ...record } = payload
      this.waiting.set(record.approval_id, record)
      return
    }
    const { op: _, ...answer } = payload
    const record = this.waiting.get(answer.approval_id)
    this.waiting.delete(answer.approval_id)
    this.decided.set(answer.approval_id, answer)
    for (const id of this.decided.keys()) {
      if (this.decided.size <= decidedBound) break
      this.decided.delete(id)
    }
    if (answer.decision !== "allow_session" || record?.subject === undefined) return
    this.allow({ tool: record.tool, subject: record.subject })
  }

  /** What a segment says again that takes the place of another. */
  restate(open: ReadonlyArray<ApprovalRecord>, allowed: ReadonlyArray<Allowance> = []): void {
    for (const record of open) this.waiting.set(record.approval_id, record)
    for (const what of allowed) this.allow(what)
  }

  /** Another session begins here. */
  forget(): void {
    this.waiting.clear()
    this.granted.clear()
  }

  /** Takes over what another one holds. */
  become(other: Approvals): void {
    const [waiting, decided, granted] = [[...other.waiting], [...other.decided], [...other.granted]] as const
    this.forget()
    this.decided.clear()
    for (const [id, record] of waiting) this.waiting.set(id, record)
    for (const [id, answer] of decided) this.decided.set(id, answer)
    for (const [key, what] of granted) this.granted.set(key, what)
  }

  private allow(what: Allowance): void {
    this.granted.set(keyOf(what), what)
  }
}

const keyOf = ({ subject, tool }: Allowance): string => `${tool}\0${subject}`
