/**
 * The part of a pod's state that is not in the journal: status, blocks in flight, what it waits for, alerts.
 *
 * A fold of the events themselves, brought up to date in the same step that numbers them: that is what makes an attach
 * in the middle of a token exact.
 */
import type { Approval } from "../protocol/Approval.ts"
import type { BroadcastEvent } from "../protocol/Event.ts"
import type { InFlight, InFlightBlock, WaitingOn } from "../protocol/Inbox.ts"
import type { PodStatus } from "../protocol/Status.ts"

export type Alert = Extract<BroadcastEvent, { readonly event: "alert" }>

interface Block {
  readonly kind: InFlightBlock["kind"]
  readonly id?: string
  readonly name?: string
  text: string
  /** No more deltas will come; it stays until its item (a call: its result) is committed. */
  closed: boolean
  state?: NonNullable<InFlightBlock["state"]>
}

export interface Live {
  status: PodStatus
  run: { readonly runId: string; readonly leg: number } | undefined
  turn: number
  /** Model calls of this process that came to their end. */
  llmCalls: number
  blocks: Array<Block>
  waitingOn: WaitingOn | null
  readonly approvals: Map<string, Approval>
  alerts: Array<Alert>
}

/** As many as a client may have missed and still wants to see. */
const alertLimit = 512

export const make = (): Live => ({
  status: "idle",
  run: undefined,
  turn: 0,
  llmCalls: 0,
  blocks: [],
  waitingOn: null,
  approvals: new Map(),
  alerts: []
})

export const apply = (live: Live, event: BroadcastEvent): void => {
  switch (event.event) {
    case "status":
      live.status = event.data.status
      return
    case "run_start":
      live.run = { runId: event.data.run_id, leg: event.data.leg }
      live.blocks = []
      return
    case "run_end":
      live.run = undefined
      live.blocks = []
      live.waitingOn = null
      return
    case "turn_start":
      live.turn = event.data.turn
      return
    case "llm_call_end":
      live.llmCalls = event.data.llm_call + 1
      return
    case "llm_continuation":
      // What broke off stays only as text, and goes on.
      live.blocks = live.blocks.filter(({ closed, kind }) => kind === "text" || (kind === "thinking" && closed))
      return
    case "thinking_start":
      live.blocks.push({ kind: "thinking", text: "", closed: false })
      return
    case "thinking_delta":
      append(live, "thinking", event.data.text)
      return
    case "thinking_done":
      close(live, "thinking")
      return
    case "text_delta":
      if (openBlock(live, "text") === undefined) live.blocks.push({ kind: "text", text: "", closed: false })
      append(live, "text", event.data.text)
      return
    case "text_done":
      close(live, "text")
      return
    case "tool_call_start":
      live.blocks.push({
        kind: "tool_call",
        id: event.data.id,
        name: event.data.name,
        text: "",
        closed: false,
        state: "receiving"
      })
      return
    case "tool_call_args_delta": {
      const block = call(live, event.data.id)
      if (block !== undefined) block.text += event.data.json
      return
    }
    case "tool_call_done":
      setState(live, event.data.id, "waiting")
      return
    case "tool_started": {
      known(live, event.data.id, event.data.name, "")
      setState(live, event.data.id, "running")
      return
    }
    case "tool_result":
      live.blocks = live.blocks.filter((block) => block.id !== event.data.id)
      return
    case "assistant_item":
      live.blocks = live.blocks.filter((block) => block.kind === "tool_call")
      return
    case "approval_requested":
      live.approvals.set(event.data.approval_id, event.data)
      if (event.data.call_id !== undefined) {
        known(live, event.data.call_id, event.data.tool, event.data.arguments)
        setState(live, event.data.call_id, "asking")
      }
      return
    case "approval_resolved":
      setState(live, live.approvals.get(event.data.approval_id)?.call_id, "waiting")
      live.approvals.delete(event.data.approval_id)
      return
    case "alert":
      live.alerts = [...live.alerts, event].slice(-alertLimit)
      return
    default:
      return
  }
}

/** The same thing as clients see it; a copy, so that it may be kept. */
export const inFlight = (live: Live): InFlight | null =>
  live.run === undefined
    ? null
    : {
        run_id: live.run.runId,
        leg: live.run.leg,
        turn: live.turn,
        blocks: live.blocks.map(
          (block): InFlightBlock =>
            block.kind === "tool_call"
              ? {
                  kind: "tool_call",
                  ...(block.id === undefined ? {} : { id: block.id }),
                  ...(block.name === undefined ? {} : { name: block.name }),
                  arguments_so_far: block.text,
                  ...(block.state === undefined ? {} : { state: block.state })
                }
              : { kind: block.kind, text: block.text }
        )
      }

const openBlock = (live: Live, kind: Block["kind"]): Block | undefined =>
  live.blocks.findLast((block) => block.kind === kind && !block.closed)

const append = (live: Live, kind: Block["kind"], text: string): void => {
  const block = openBlock(live, kind)
  if (block !== undefined) block.text += text
}

const close = (live: Live, kind: Block["kind"]): void => {
  const block = openBlock(live, kind)
  if (block !== undefined) block.closed = true
}

const call = (live: Live, id: string): Block | undefined => live.blocks.find((block) => block.id === id)

/** A resumed leg goes on with calls whose blocks belonged to the leg before. */
const known = (live: Live, id: string, name: string, text: string): void => {
  if (call(live, id) === undefined) live.blocks.push({ kind: "tool_call", id, name, text, closed: true })
}

const setState = (live: Live, id: string | undefined, state: NonNullable<InFlightBlock["state"]>): void => {
  const block = id === undefined ? undefined : call(live, id)
  if (block !== undefined) block.state = state
}
