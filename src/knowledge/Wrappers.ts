/**
 * The texts that the pod itself puts into a conversation. Each is committed as the model saw it and never rendered
 * again, so changing a word here changes new sessions only.
 */
import type { PermissionDecision } from "../manifest/PermissionRules.ts"
import type { ApprovalAnswer } from "../protocol/Approval.ts"
import { describe, type PodEvent } from "../protocol/PodEvent.ts"
import type { Task } from "../protocol/Task.ts"
import type { CutBy } from "../session/Fold.ts"

/** A message from outside that arrives while the agent works, or wakes it. */
export const notificationBody = (message: string): string =>
  `[Notification]\n${message}\n\n` +
  "This is a notification, not a blocking request: finish the step you are in, and deal with it at the next natural " +
  "stopping point. If it needs nothing from you, go on."

/** What a child pod reports, in the same wrapping. */
export const podEventBody = (event: PodEvent): string => notificationBody(describe(event))

/** Commands in the background that have ended, and how many more there are. Without an ending: the pod has ended since. */
export const commandsEnded = (
  commands: ReadonlyArray<{ readonly id: string; readonly title: string; readonly ending: string | undefined }>,
  more: number
): string =>
  [
    "Commands in the background have ended:",
    ...commands.map(
      ({ ending, id, title }) =>
        `- ${id} (${title}): ${ending ?? "it ended, at the latest, with the pod that had started it; its output is gone"}`
    ),
    ...(more > 0 ? [`- and ${more} more`] : [])
  ].join("\n")

const cutBy: { readonly [By in CutBy]: string } = {
  user: "was interrupted by the user",
  failure: "ended in an error",
  crash: "was cut when the pod's process ended"
}

/** Stands between a turn that was cut short and the request that follows it. */
export const interruptNote = (by: CutBy): string =>
  `[The previous turn ${cutBy[by]} before it was finished. A new request follows; what was left open counts only as ` +
  "far as the request takes it up.]"

/** The result of a call that had not begun when the pod's process ended. */
export const neverStarted = "[Not run] The pod stopped before this call had begun."

/** The result of a call that the user's next request finds without one: the turn it belongs to is over. */
export const interruptedByUser = "[Interrupted by user]"

/** The result of a call that was running when the turn was paused, for the model that takes the turn up again. */
export const interruptedBeforeResult =
  "[Interrupted before its result] The call was stopped while it ran: its outcome is unknown. It may have done all, " +
  "part or nothing of its work. Check before you do it again."

/** The result of a call that was open when its turn ended: by a crash, a cancel or a failure. */
export const outcomeUnknown =
  "[Outcome unknown] The turn ended while this call was open. It may have done all, part or nothing of its work, and " +
  "it was not run again. Check before you repeat it."

/** The result of a call that the permissions did not let through. */
export const permissionDenied = (tool: string, decision: PermissionDecision): string =>
  `${tool} was not run: the permissions of this pod deny this call${about(decision)}. ${noWayAround}`

/** The result of a call that needs somebody's word, when nobody is connected who could give it. */
export const nobodyToAsk = (tool: string): string =>
  `${tool} was not run: this call needs approval, and nobody is connected who could give it. ${noWayAround}`

/** The result of a call that was asked for, and not allowed. */
export const approvalDenied = (tool: string, { by, reason }: ApprovalAnswer): string =>
  by === "expiry"
    ? `${tool} was not run: this call needs approval, and nobody answered in time. ${noWayAround}`
    : `${tool} was not run: this call needed approval and was denied${reason === undefined ? "" : ` (${short(reason, 2000)})`}. ${noWayAround}`

const noWayAround = "Do not try to get around this."

const short = (text: string, max: number): string => {
  const line = text.replace(/\s+/g, " ").trim()
  return line.length > max ? `${line.slice(0, max)}…` : line
}

/** A command may be long, and what is wrong with it short. */
const about = ({ part }: PermissionDecision): string => {
  return part === undefined ? "" : ` because of a part of it (${short(part, 200)})`
}

/** What a hook adds to the conversation. */
export const hookAddition = (hook: string, text: string): string => `[Hook ${hook}]\n${text}`

/** Tasks that a reminder names; of more it says how many there are. */
const remindedTasks = 50

/** The tasks are there and active. Wrapped once, whatever their subjects say. */
export const taskReminder = (tasks: ReadonlyArray<Task>): string => {
  const lines = tasks
    .slice(0, remindedTasks)
    .map(({ status, subject, taskid }) => `- ${taskid} [${status}] ${oneLine(subject)}`)
  const left = tasks.length - lines.length
  const body = [
    "These tasks are open, and none of them was touched for a while:",
    ...lines,
    ...(left > 0 ? [`- and ${left} more, which TaskList shows`] : []),
    "Bring them up to date with TaskUpdate where they no longer say how things stand. If they do, go on with your work."
  ]
  return `<system-reminder>\n${body.join("\n")}\n</system-reminder>`
}

const oneLine = (text: string): string =>
  text
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    // In any spelling that a model would take for the tag.
    .replaceAll(/<(?=[\s/\p{Cf}]*system-reminder)/giu, "(")
    .trim()

export interface LostLine {
  /** From 1, as people count. */
  readonly line: number
  readonly bytes: number
  /** Its kind, as far as it can be told. */
  readonly seems: string | undefined
  readonly savedTo: string
}

/** Stands in the log in the place of a line that could not be read. */
export const lostLine = ({ bytes, line, savedTo, seems }: LostLine): string =>
  `[Log repaired] Line ${line} of this session's log could not be read (${bytes} bytes` +
  `${seems === undefined ? "" : `; it seems to have been ${seems}`}). What it said is lost here: a message, a call, a ` +
  `result or a note may be missing. It is kept in ${savedTo}. Check before you repeat anything that has effects.`

/** The same in fewer words, for a place with little room. */
export const lostLineShort = ({ line, savedTo }: LostLine): string =>
  `[Log repaired] Line ${line} could not be read; it is in ${savedTo.slice(savedTo.lastIndexOf("/") + 1)}.`
