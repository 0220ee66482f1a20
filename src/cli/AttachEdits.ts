/**
 * The commands of `attach` that change what was said or what waits: going back, coming back, forks, the inbox.
 *
 * A place or an item is named by its number in the list that was shown last, so that a number never means another thing
 * than what the user saw: if the session has moved on meanwhile, the pod refuses.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { InboxItem } from "../protocol/Inbox.ts"
import { RewindSummary, RewindTarget } from "../protocol/Rewind.ts"
import type { Client } from "./Client.ts"
import { plain, plural } from "./Text.ts"

export const help = {
  "rewind [N]": "list what you said; go back to before number N",
  undo: "bring back what the last rewind took away",
  "fork NAME": "make a pod that goes on from here",
  inbox: "list what waits",
  "remove N": "take number N out of the inbox"
} as const

export const names: ReadonlyArray<string> = Object.keys(help).map((usage) => usage.split(" ")[0] as string)

const Targets = Schema.Struct({ targets: Schema.Array(RewindTarget) })
const Items = Schema.Struct({ items: Schema.Array(InboxItem) })
const Undone = Schema.Struct({ entries: Schema.Int })
/** Nothing of the answer is shown. */
const Done = Schema.Struct({})

type Note = (text: string) => Effect.Effect<void>

export class AttachEdits {
  private readonly note: Note
  private targets: ReadonlyArray<RewindTarget> = []
  private items: ReadonlyArray<InboxItem> = []

  constructor(note: Note) {
    this.note = note
  }

  /** `client` is the connection as it is now. */
  run(client: Client, name: string, argument: string): Effect.Effect<void> {
    switch (name) {
      case "rewind":
        return argument === "" ? this.list(client) : this.rewind(client, argument)
      case "undo":
        return this.ask(
          client,
          "undo_rewind",
          undefined,
          Undone,
          ({ entries }) => `the log has ${plural(entries, "entry", "entries")} again`
        )
      case "fork":
        return argument === ""
          ? this.note("/fork needs a name for the new pod")
          : this.ask(
              client,
              "fork",
              { pod_name: argument },
              Done,
              () => `${argument} has the same past; effect-pod serve --pod ${argument} starts it`
            )
      case "inbox":
        return this.inbox(client)
      default:
        return this.remove(client, argument)
    }
  }

  private list(client: Client): Effect.Effect<void> {
    return this.ask(client, "list_rewind_targets", undefined, Targets, ({ targets }) => {
      this.targets = targets
      if (this.targets.length === 0) return "nothing was said yet"
      const lines = this.targets.map((target, i) => {
        const remark = target.disabled_reason ?? target.warning
        return `${String(i + 1).padStart(3)}  ${plain(target.preview)}${remark === undefined ? "" : `  (${plain(remark)})`}`
      })
      return [...lines, "/rewind N goes back to before it"].join("\n")
    })
  }

  private rewind(client: Client, argument: string): Effect.Effect<void> {
    const target = this.targets[Number(argument) - 1]
    if (target === undefined) return this.note(`there is no number ${plain(argument)}; /rewind shows the list`)
    this.targets = []
    const params = { target: { ...target.id }, expected_head_entries: target.expected_head_entries }
    return this.ask(client, "rewind_to", params, RewindSummary, ({ discarded_entries, tool_side_effect_warning }) => {
      const effects = tool_side_effect_warning ? "; what tools have done is not undone" : ""
      return `back to before "${plain(target.preview)}": ${plural(discarded_entries, "entry", "entries")} left out${effects}. /undo brings them back`
    })
  }

  private inbox(client: Client): Effect.Effect<void> {
    return this.ask(client, "list_inbox", undefined, Items, ({ items }) => {
      this.items = items
      if (this.items.length === 0) return "nothing waits"
      return this.items
        .map(({ kind, mode, preview }, i) => `${String(i + 1).padStart(3)}  ${kind} (${mode})  ${plain(preview)}`)
        .join("\n")
    })
  }

  private remove(client: Client, argument: string): Effect.Effect<void> {
    const item = this.items[Number(argument) - 1]
    if (item === undefined) return this.note(`there is no number ${plain(argument)}; /inbox shows the list`)
    return this.ask(client, "remove_inbox", { item_id: item.item_id }, Done, () => `removed "${plain(item.preview)}"`)
  }

  private ask<A>(
    client: Client,
    method: Parameters<Client["request"]>[0],
    params: Parameters<Client["request"]>[1],
    answer: Schema.Codec<A, unknown>,
    done: (reply: A) => string
  ): Effect.Effect<void> {
    return client.request(method, params).pipe(
      Effect.flatMap(Schema.decodeUnknownEffect(answer)),
      Effect.matchEffect({
        onFailure: (error) => this.note(`${method}: ${plain(error.message)}`),
        onSuccess: (reply) => this.note(done(reply))
      })
    )
  }
}
