import { generator } from "./World.ts"

/** Whole numbers from 0 to below `sides`, the same ones for the same seed. */
export const dice = (seed: number): ((sides: number) => number) => {
  const next = generator(seed)
  return (sides) => Math.floor(next() * sides)
}
