/** A campaign: stories one after the other until there were enough rounds. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Chance from "./Chance.ts"
import * as Story from "./Story.ts"

export interface CampaignOptions {
  readonly rounds: number
  readonly seed: number
  /** The built program. */
  readonly program: string
  readonly onStory?: (done: Story.Tally) => void
}

export interface Report extends Story.Tally {
  readonly seed: number
  /** Methods that this build refuses, so that they were not part of it. */
  readonly unavailable: ReadonlyArray<string>
}

/** Lives of one pod. Long enough for a history, short enough to be read after a violation. */
const roundsPerStory = 12

export const run = async (options: CampaignOptions): Promise<Report> => {
  const keepIn = mkdtempSync(join(tmpdir(), "effect-pod-crash-"))
  const unavailable = new Set<string>()
  const chance = Chance.make(options.seed)
  const tally: Story.Tally = {
    rounds: 0,
    restarts: 0,
    startups: 0,
    accepted: 0,
    tools: 0,
    legs: 0,
    torn: 0,
    rewinds: 0,
    forks: 0,
    segments: 0,
    violations: []
  }
  for (let story = 1; tally.rounds < options.rounds; story++) {
    const rounds = Math.min(roundsPerStory, options.rounds - tally.rounds)
    await Story.play(
      { seed: options.seed, story, rounds, program: options.program, unavailable, keepIn },
      chance.fork(),
      tally
    )
    options.onStory?.(tally)
  }
  if (tally.violations.length === 0) rmSync(keepIn, { recursive: true, force: true })
  return { seed: options.seed, unavailable: [...unavailable].toSorted(), ...tally }
}
