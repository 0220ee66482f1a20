/** What the client of a campaign was told: which inputs were accepted, and what it has seen as durable. */
import type { NativeLine } from "../test/support/e2eClient.ts"
import type { Chance } from "./Chance.ts"

export type Delivery = "reject" | "queue" | "steer"

/** Unknown: the pod was killed before it answered. */
export type Outcome = "unknown" | "accepted" | "refused"

export interface Input {
  readonly number: number
  readonly method: "run" | "notify"
  readonly params: Readonly<Record<string, unknown>>
  readonly key: string | undefined
  outcome: Outcome
  result: Readonly<Record<string, unknown>> | undefined
  /** Sent once more: its place among the others is no longer known. */
  sentAgain: boolean
}

/** Terminal record of a leg, by `run_id/leg`. */
export type Ends = Map<string, Array<string>>

export class Told {
  readonly inputs: Array<Input> = []
  /** Items that were taken out of the inbox on demand, or may have been. */
  readonly removed = new Set<string>()
  /** Results of the `run_end`s that were seen as durable. */
  readonly ends: Ends = new Map()
  readonly started = new Set<string>()
  readonly results = new Set<string>()
  /** Names of pods that forks were accepted for. */
  readonly forks: Array<string> = []

  run(delivery: Delivery, key: boolean): Input {
    const number = this.inputs.length
    const params = {
      input: [{ kind: "text", content: `input ${number}; grüße ✓` }],
      ...(delivery === "reject" ? {} : { delivery })
    }
    return this.add("run", params, key)
  }

  notify(wake: boolean, key: boolean): Input {
    const number = this.inputs.length
    return this.add("notify", { message: `input ${number}; news 👋`, ...(wake ? {} : { wake }) }, key)
  }

  private add(method: Input["method"], params: Input["params"], key: boolean): Input {
    const number = this.inputs.length
    const input: Input = {
      number,
      method,
      params: key ? { ...params, key: `key-${number}` } : params,
      key: key ? `key-${number}` : undefined,
      outcome: "unknown",
      result: undefined,
      sentAgain: false
    }
    this.inputs.push(input)
    return input
  }

  /** One that was sent with a key and not refused. */
  keyed(chance: Chance): Input | undefined {
    const some = this.inputs.filter(({ key, outcome }) => key !== undefined && outcome !== "refused")
    return some.length === 0 ? undefined : chance.pick(some)
  }

  see(line: NativeLine): void {
    if (!("durable" in line) || line.durable !== true) return
    if (line.event === "run_end") {
      const leg = `${line.data.run_id}/${line.data.leg}`
      this.ends.set(leg, [...(this.ends.get(leg) ?? []), line.data.result])
    }
    if (line.event === "tool_started") this.started.add(line.data.id)
    if (line.event === "tool_result") this.results.add(line.data.id)
  }
}
