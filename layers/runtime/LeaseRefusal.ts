/** Why a lease was refused, as sentences for the person who wanted it. */
import { LeaseError, type LeaseOwner } from "../../src/runtime/Lease.ts"
import type { Conflict } from "./LeaseOverlap.ts"

export const podHeld = (pod: string, owner: LeaseOwner | undefined): LeaseError =>
  new LeaseError({
    reason: "PodHeld",
    pod,
    message: `The pod "${pod}" is already live${owner === undefined ? unnamed : `: ${describe(owner)}`}.`,
    ...known(owner)
  })

export const sessionHeld = (pod: string, sessionId: string, owner: LeaseOwner | undefined): LeaseError =>
  new LeaseError({
    reason: "SessionHeld",
    pod,
    message:
      owner === undefined
        ? `The session ${sessionId} of the pod "${pod}" is being written by another process${unnamed}.`
        : `The session ${sessionId} is being written by the pod "${owner.pod_name}": ${describe(owner)}.`,
    ...known(owner)
  })

export const scopeOverlap = (pod: string, owner: LeaseOwner, conflicts: ReadonlyArray<Conflict>): LeaseError => {
  const rules = [...new Set(conflicts.map(({ theirs }) => theirs))]
  const pairs = conflicts.map(({ mine, theirs }) => (mine === theirs ? mine : `${mine} (there: ${theirs})`))
  return new LeaseError({
    reason: "ScopeOverlap",
    pod,
    message:
      `The pod "${pod}" may write where the live pod "${owner.pod_name}" may write: ${list([...new Set(pairs)])}. ` +
      `There ${describe(owner)}.`,
    owner,
    rules
  })
}

export const unavailable = (pod: string, message: string): LeaseError =>
  new LeaseError({ reason: "Unavailable", pod, message: `No lease for the pod "${pod}": ${message}.` })

const unnamed = ", and its owner has not said who it is"

const known = (owner: LeaseOwner | undefined) => (owner === undefined ? {} : { owner })

const describe = ({ pid, socket, stopped }: LeaseOwner): string => {
  const where = socket === null ? "" : ` and listens on ${socket}`
  return stopped
    ? `process ${pid} owns it${where}, but that process is stopped (SIGSTOP) and answers nothing until it is continued`
    : `process ${pid} owns it${where}`
}

const list = (items: ReadonlyArray<string>): string =>
  items.length <= 3 ? items.join(", ") : `${items.slice(0, 3).join(", ")} and ${items.length - 3} more`
