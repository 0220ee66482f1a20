/** `[spawn]`: the pods that this pod may raise. */
import * as Schema from "effect/Schema"
import { Count, defaulted, DurationText, oneOf, optional, Positive } from "../Fields.ts"

const Budget = Schema.Struct({
  tokens: optional(Positive, "Tokens of all children together, in and out."),
  cost_usd: optional(
    Schema.Finite.check(Schema.isGreaterThan(0, { expected: "a number above 0" })),
    "Dollars of all children together."
  ),
  turns: optional(Positive, "Model calls of all children together."),
  wall_time: optional(DurationText, "How long one child may live.")
})

export const SpawnTable = Schema.Struct({
  isolation: defaulted(
    oneOf("process", "fiber"),
    "process",
    "A child is a process of its own, or a fiber in this one."
  ),
  max_depth: defaulted(Count, 3, "How deep children may raise children; 0 raises none."),
  max_children: defaulted(Count, 16, "How many children may live at once; 0 raises none."),
  budget: optional(Budget, "What the children may spend.")
})
export type SpawnTable = typeof SpawnTable.Type
