import { expect, it } from "vitest"
import { hunt } from "./Hunt.ts"

const seeds = Number(process.env["EFFECT_POD_MODEL_SEEDS"] ?? 60)

it(`a pod does what a simple model of it does, on ${seeds} random lists of commands`, {
  timeout: 300_000
}, async () => {
  for (let seed = 0; seed < seeds; seed++) expect(await hunt(seed)).toBeUndefined()
})
