/** Commands by chance, most of them such that something happens in the state that they find. */
import { generator } from "../support/World.ts"
import type { Case, Command, Named, Policy } from "./Command.ts"
import { fresh, type Pod } from "./State.ts"
import { shutdown, start, step } from "./Step.ts"

const longest = 30

/** How often a command is drawn again that would be refused, or do nothing. */
const patience = 6

export const generate = (seed: number): Case => {
  const random = generator(seed ^ 0x5eed)
  const below = (n: number) => Math.floor(random() * n)
  const oneOf = <A>(...values: ReadonlyArray<A>) => values[below(values.length)] as A
  const share = () => Math.round(random() * 100) / 100
  const named = () => oneOf<Named>("none", "none", "right", "right", "wrong")
  let texts = 0
  /** With a key, the same two payloads come up again and again. */
  const said = (word: string) => {
    if (random() < 0.75) return { text: `${word}${texts++}` }
    const key = oneOf("k1", "k2")
    return { text: `${key} ${oneOf("a", "a", "b")}`, key }
  }

  const method = (): Command => {
    const n = below(100)
    if (n < 30) return { do: "run", ...said("say "), delivery: oneOf("none", "reject", "queue", "queue", "steer") }
    if (n < 44) return { do: "notify", ...said("note "), wake: random() < 0.6 }
    if (n < 52) return { do: "pause", named: named() }
    if (n < 60) return { do: "cancel", named: named() }
    if (n < 68) return { do: "resume" }
    if (n < 84)
      return { do: "rewind", pick: share(), how: oneOf("right", "right", "right", "stale", "no input", "no segment") }
    if (n < 94) return { do: "undo rewind" }
    return { do: "remove", how: oneOf("right", "right", "gone"), pick: share() }
  }
  const outside = (): Command =>
    random() < 0.2
      ? { do: "tool ends" }
      : { do: "answer", how: oneOf("text", "text", "text", "text", "quick", "slow", "both", "part", "fail") }
  const any = (pod: Pod): Command => {
    const n = below(100)
    if (n < 48) return method()
    if (n < 80) return outside()
    if (n < 86) {
      const pick = random() < 0.5 ? {} : { pick: share() }
      return { do: "fork", how: oneOf("right", "right", "right", "taken", "no input"), ...pick, enter: random() < 0.4 }
    }
    if (n < 90) return { do: "restart" }
    if (n < 96) {
      const during = random() < 0.1 ? {} : { during: lively(pod, () => (random() < 0.6 ? method() : outside())) }
      return { do: "crash", ...during, after: below(120), keeps: share() }
    }
    return { do: "foreign write", whole: random() < 0.5 }
  }
  const lively = (pod: Pod, draw: () => Command): Command => {
    let command = draw()
    for (let i = 0; i < patience && !does(pod, command) && random() < 0.85; i++) command = draw()
    return command
  }

  const commands: Array<Command> = []
  const policy = oneOf<Policy>("idle", "paused", "resume")
  let pod = fresh(policy)
  for (let left = 4 + below(longest - 3); left > 0; left--) {
    const now = pod
    const command = lively(now, () => any(now))
    commands.push(command)
    pod = after(now, command)
  }
  return { policy, commands }
}

const does = (pod: Pod, command: Command): boolean => {
  if (command.do === "crash" || command.do === "restart") return true
  const { answer, states } = step(pod, command)
  return answer === undefined ? states.length > 1 || states[0] !== pod : answer.ok
}

/** Where it most likely is then. */
const after = (pod: Pod, command: Command): Pod => {
  if (command.do === "restart") return start(shutdown(pod))
  if (command.do === "crash") return start(command.during === undefined ? pod : after(pod, command.during))
  const { forked, states } = step(pod, command)
  return command.do === "fork" && command.enter && forked !== undefined ? start(forked) : (states.at(-1) as Pod)
}
