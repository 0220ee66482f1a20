/**
 * What the user asks for in `attach`: lines to the pod, commands that begin with a slash, Ctrl-C.
 *
 * It knows which runs were started here, so that piped input ends with the last of them and not before.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { MethodName } from "../protocol/Method.ts"
import { nearest } from "../protocol/Nearest.ts"
import type { PodStatus } from "../protocol/Status.ts"
import { quote } from "./Args.ts"
import * as Edits from "./AttachEdits.ts"
import { answerOf } from "./ApprovalText.ts"
import { Approvals } from "./Approvals.ts"
import type { Client, PodEvent, Snapshot } from "./Client.ts"
import { finder } from "./FileReferences.ts"
import { segmentsOf } from "./Input.ts"
import { plain, plural } from "./Text.ts"

const methods = {
  pause: "stop the current run so that it can go on later",
  resume: "let a paused run go on",
  cancel: "give up the current run",
  shutdown: "stop the pod"
} as const satisfies Partial<Record<MethodName, string>>

const answers = {
  allow: "allow the call that waits (y does the same)",
  always: "allow it, and the same again until the session ends (a)",
  deny: "deny it (n); what stands behind /deny is the reason, for the model"
} as const

const help = [
  ...Object.entries({
    ...methods,
    ...answers,
    ...Edits.help,
    quit: "leave; the pod goes on (Ctrl-D does the same)",
    help: "this list"
  }).map(([usage, text]) => `/${usage.padEnd(11)} ${text}`),
  "A line that does not begin with / is sent to the pod; // sends a line that begins with /.",
  "@path attaches a file. Ctrl-C pauses a run, and leaves when nothing runs."
].join("\n")

const isMethod = (name: string): name is keyof typeof methods => Object.hasOwn(methods, name)

export interface Options {
  readonly client: Client
  /** Where `@path` is seen from. */
  readonly cwd: string
  readonly note: (text: string) => Effect.Effect<void>
  /** A line that somebody has to answer. */
  readonly question: (text: string) => Effect.Effect<void>
  /** The end of the input does not end the command before the runs that were started here have ended. */
  readonly waitsForRuns: boolean
}

export class AttachInput {
  readonly note: (text: string) => Effect.Effect<void>
  private readonly options: Options
  private readonly edits: Edits.AttachEdits
  private readonly approvals: Approvals
  private client: Client
  private status: PodStatus
  /** Ctrl-C has asked for a pause that has not come yet. */
  private pausing = false
  /** Runs of ours that have not ended; true for those that wait in the inbox. */
  private readonly runs = new Map<string, boolean>()
  /** The last runs that ended: an end may be shown before the reply that started the run has reached us. */
  private finished: ReadonlyArray<string> = []
  private readonly settled = Deferred.makeUnsafe<void>()
  private over = false

  constructor(options: Options) {
    this.options = options
    this.note = options.note
    this.approvals = new Approvals(options.question)
    this.edits = new Edits.AttachEdits(options.note)
    this.client = options.client
    this.status = options.client.snapshot.status
  }

  reconnected(client: Client): void {
    this.client = client
    this.status = client.snapshot.status
    this.pausing = false
    // What became of them is in the log that is shown again.
    this.runs.clear()
    this.settle()
  }

  /** Keeps up with an event that was shown. */
  seen(status: PodStatus | undefined, event: PodEvent): Effect.Effect<void> {
    if (status !== undefined) {
      this.status = status
      if (status !== "running") this.pausing = false
    }
    if (event.event === "run_start" && this.runs.has(event.data.run_id)) this.runs.set(event.data.run_id, false)
    if (event.event === "run_end") {
      this.runs.delete(event.data.run_id)
      this.finished = [...this.finished.slice(-15), event.data.run_id]
    }
    this.settle()
    const held = status === "idle" && this.over && this.runs.size > 0 ? this.giveUpHeld() : Effect.void
    return this.approvals.seen(event).pipe(Effect.andThen(this.giveUpAsking), Effect.andThen(held))
  }

  /** What waits for an answer, as a snapshot tells it. */
  asked(snapshot: Snapshot): Effect.Effect<void> {
    return this.approvals.replace(snapshot.pending_approvals ?? [])
  }

  /** True if the user wants to leave. */
  entered(line: string): Effect.Effect<boolean> {
    const text = line.trim()
    if (text === "") return Effect.succeed(false)
    const answer = this.approvals.isAsking ? answerOf(text) : undefined
    if (answer !== undefined) return Effect.as(this.approvals.answer(this.client, answer), false)
    if (text.startsWith("/") && !text.startsWith("//")) return this.command(text.slice(1))
    return Effect.as(this.send(text.startsWith("//") ? line.trimStart().slice(1) : line), false)
  }

  /** Ctrl-C. True if it means to leave. */
  get interrupted(): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      if (this.status !== "running" || this.pausing) return Effect.succeed(true)
      this.pausing = true
      return this.ask("pause", "pausing; /resume goes on, /cancel gives the run up, Ctrl-C again leaves")
    })
  }

  /** The input has come to its end. */
  get ended(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.options.waitsForRuns) return Effect.void
      this.over = true
      this.settle()
      return Effect.andThen(
        this.status === "idle" && this.runs.size > 0 ? this.giveUpHeld() : this.giveUpAsking,
        Deferred.await(this.settled)
      )
    })
  }

  private settle(): void {
    if (this.over && this.runs.size === 0) Deferred.doneUnsafe(this.settled, Effect.void)
  }

  private command(text: string): Effect.Effect<boolean> {
    const [name = "", argument = ""] = text.split(/\s+/, 2)
    if (name === "allow" || name === "always" || name === "deny") {
      const reason = text.slice(name.length).trim()
      const decision = name === "always" ? "allow_session" : name
      return Effect.as(this.approvals.answer(this.client, decision, reason === "" ? undefined : reason), false)
    }
    if (name === "quit" || name === "exit") return Effect.succeed(true)
    if (name === "help") return Effect.as(this.note(help), false)
    if (isMethod(name)) return this.ask(name)
    if (Edits.names.includes(name)) return Effect.as(this.edits.run(this.client, name, argument), false)
    const meant = nearest(name, [...Object.keys(methods), ...Edits.names, ...Object.keys(answers), "quit", "help"])
    return Effect.as(
      this.note(
        `unknown command ${quote(`/${name}`)}${meant === undefined ? "; /help lists them" : `; did you mean /${meant}?`}`
      ),
      false
    )
  }

  private ask(method: keyof typeof methods, done?: string): Effect.Effect<boolean> {
    return Effect.matchEffect(this.client.request(method), {
      onFailure: (error) => this.note(`${method}: ${plain(error.message)}`),
      onSuccess: () => (done === undefined ? Effect.void : this.note(done))
    }).pipe(Effect.as(false))
  }

  private send(text: string): Effect.Effect<void> {
    const segments = segmentsOf(text, finder(this.options.cwd, this.client.snapshot.greeting.cwd))
    // What is typed at a paused pod takes the place of its paused run, as in every other client.
    const delivery = this.status === "paused" ? "reject" : "queue"
    return Effect.matchEffect(
      this.client.request("run", { input: segments.map((segment) => ({ ...segment })), delivery }),
      {
        onFailure: (error) => this.note(`not sent: ${plain(error.message)}`),
        onSuccess: (reply) =>
          Effect.sync(() => {
            const id = reply["run_id"]
            if (typeof id === "string" && !this.finished.includes(id)) this.runs.set(id, reply["item_id"] !== undefined)
          })
      }
    )
  }

  /** What a run of ours asks for after the end of the input: nobody is to wait for an answer from here. */
  private get giveUpAsking(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.over && this.approvals.isAsking && Array.from(this.runs.values()).includes(false)
        ? this.approvals.answer(this.client, "deny", "the input has ended")
        : Effect.void
    )
  }

  /** After a run that failed, what waits in the inbox stays there until somebody goes on. */
  private giveUpHeld(): Effect.Effect<void> {
    return Effect.matchEffect(this.client.request("attach_status"), {
      onFailure: () => Effect.void,
      onSuccess: (reply) => {
        const waiting = reply["waiting_on"]
        const held =
          typeof waiting === "object" && waiting !== null && "kind" in waiting && waiting["kind"] === "inbox_held"
        if (!held) return Effect.void
        const count = Array.from(this.runs.values()).filter((queued) => queued).length
        this.runs.clear()
        this.settle()
        return this.note(`${plural(count, "input")} still in the queue: the run before did not end well`)
      }
    })
  }
}
