/** Choices of a campaign, all drawn from its seed: the same seed gives the same scripts. Moments are the machine's. */
import { generator } from "../test/support/World.ts"

export interface Chance {
  /** A whole number, 0 ≤ n < `below`. */
  readonly below: (below: number) => number
  /** True in `percent` of 100 cases. */
  readonly percent: (percent: number) => boolean
  readonly pick: <A>(from: ReadonlyArray<A>) => A
  /** Picks a name by its weight; 0 is never. */
  readonly weighted: <Name extends string>(weights: Readonly<Record<Name, number>>) => Name
  /** Its own choices, which do not depend on how many are drawn here later. */
  readonly fork: () => Chance
}

export const make = (seed: number): Chance => {
  const next = generator(seed)
  const below = (bound: number) => Math.floor(next() * bound)
  return {
    below,
    percent: (percent) => next() * 100 < percent,
    pick: <A>(from: ReadonlyArray<A>) => from[below(from.length)] as A,
    weighted: <Name extends string>(weights: Readonly<Record<Name, number>>) => {
      const names = Object.keys(weights) as Array<Name>
      let left = next() * names.reduce((sum, name) => sum + weights[name], 0)
      for (const name of names) {
        left -= weights[name]
        if (left < 0) return name
      }
      return names.findLast((name) => weights[name] > 0) as Name
    },
    fork: () => make(below(2 ** 31))
  }
}
