/** Looks for a list of commands that shows a difference, and makes it as short as it gets. */
import { shrink } from "../support/Shrink.ts"
import { type Case, print, simpler } from "./Command.ts"
import { generate } from "./Generate.ts"
import { differenceOf } from "./Play.ts"

/** Cases that are tried to make one smaller. */
const budget = 500

/** A report about the seed for a reader, or undefined if nothing is wrong. */
export const hunt = async (seed: number): Promise<string | undefined> => {
  const whole = generate(seed)
  if ((await differenceOf(seed, whole)) === undefined) return undefined
  const commands = await shrink(whole.commands, {
    fails: async (candidate) => (await differenceOf(seed, { ...whole, commands: candidate })) !== undefined,
    simpler,
    budget
  })
  const shrunk: Case = { ...whole, commands }
  const lines = commands.map((command, i) => `  ${i + 1}. ${print(command)}`)
  const difference = await differenceOf(seed, shrunk)
  return [`seed ${seed}, on_interrupted ${whole.policy}:`, ...lines, difference ?? "it does not show again"].join("\n")
}
