/**
 * What a test does to a pod, as plain data: methods of a client, answers of the model, accidents.
 *
 * A command says what it wants in numbers that mean something in any state (`pick` is a share of what there is), so that
 * a list of commands keeps its sense when others are taken out of it.
 */
/** `right` names the current run, `wrong` another one. */
export type Named = "none" | "right" | "wrong"
export type Policy = "idle" | "paused" | "resume"

export type Command =
  | {
      readonly do: "run"
      readonly text: string
      readonly delivery: "reject" | "queue" | "steer" | "none"
      readonly key?: string
    }
  | { readonly do: "notify"; readonly text: string; readonly wake: boolean; readonly key?: string }
  | { readonly do: "pause"; readonly named: Named }
  | { readonly do: "cancel"; readonly named: Named }
  | { readonly do: "resume" }
  /** The model answers with a text, with calls of tools, half, or not at all. */
  | { readonly do: "answer"; readonly how: "text" | "quick" | "slow" | "both" | "part" | "fail" }
  /** The slow tool comes to its end. */
  | { readonly do: "tool ends" }
  | { readonly do: "rewind"; readonly pick: number; readonly how: "right" | "stale" | "no input" | "no segment" }
  | { readonly do: "undo rewind" }
  /** `pick`: at which target, if not at the end. `enter`: the test goes on with the fork. */
  | {
      readonly do: "fork"
      readonly how: "right" | "taken" | "no input"
      readonly pick?: number
      readonly enter: boolean
    }
  | { readonly do: "remove"; readonly how: "right" | "gone"; readonly pick: number }
  /** Stopped and started again. */
  | { readonly do: "restart" }
  /** Killed some steps after `during` was asked, then started again. The write under way keeps a share of its bytes. */
  | { readonly do: "crash"; readonly during?: Command; readonly after: number; readonly keeps: number }
  /** Somebody else writes to the file of the pod: a whole entry, or a piece of one. */
  | { readonly do: "foreign write"; readonly whole: boolean }

export interface Case {
  readonly policy: Policy
  readonly commands: ReadonlyArray<Command>
}

/** Commands that do less and may show the same. No way along them leads back. */
export const simpler = (command: Command): ReadonlyArray<Command> =>
  candidates(command).filter((candidate) => print(candidate) !== print(command))

const candidates = (command: Command): ReadonlyArray<Command> => {
  switch (command.do) {
    case "run": {
      const { key, ...unkeyed } = command
      const plain: Command = { ...unkeyed, delivery: "none" }
      return key === undefined ? [plain] : [plain, unkeyed, { ...plain, key }]
    }
    case "notify":
      return command.key === undefined ? [] : [{ do: "notify", text: command.text, wake: command.wake }]
    case "pause":
    case "cancel":
      return command.named === "none" ? [] : [{ ...command, named: "none" }]
    case "answer":
      return [{ ...command, how: "text" }]
    case "rewind":
    case "remove":
      return command.pick === 0
        ? []
        : [{ ...command, pick: 0 }, ...(command.pick === 1 ? [] : [{ ...command, pick: 1 }])]
    case "fork": {
      const { pick, ...atEnd } = command
      return [...(pick === undefined ? [] : [atEnd]), ...(command.enter ? [{ ...command, enter: false }] : [])]
    }
    case "crash":
      return [
        { do: "restart" },
        { do: "crash", after: 0, keeps: 0 },
        ...(command.keeps === 0 ? [] : [{ ...command, keeps: 0 }]),
        ...(command.during === undefined
          ? []
          : [command.during, ...simpler(command.during).map((during): Command => ({ ...command, during }))])
      ]
    case "foreign write":
      return command.whole ? [] : [{ ...command, whole: true }]
    default:
      return []
  }
}

/** One line for a reader, and what it takes to write it down as a regression test. */
export const print = (command: Command): string => {
  const { do: name, ...rest } = command
  const fields = Object.entries(rest).map(([field, value]) =>
    field === "during" ? `during (${print(value as Command)})` : `${field} ${JSON.stringify(value)}`
  )
  return [name, ...fields].join(", ")
}
