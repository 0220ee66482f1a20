/** `[model.prices]`, and the prices of a catalog: what a vendor asks for tokens, as its public list says. */
import * as Schema from "effect/Schema"
import { matching, oneOf, optional, Positive, required } from "../Fields.ts"

const Price = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0, { expected: "a price of at least 0" }))

/** Per million tokens. What is not known has no prices at all: a cost is computed, or it is not there. */
export const Prices = Schema.Struct({
  input: required(Price, "Per million tokens of the prompt, as far as they have no price of their own below."),
  output: required(Price, "Per million tokens of the answer."),
  cache_read: optional(Price, "Per million tokens of the prompt that come from the cache. Default: as `input`."),
  cache_write: optional(Price, "Per million tokens of the prompt that go into the cache. Default: as `input`."),
  up_to: optional(
    Positive,
    "Tokens of a prompt up to which these prices hold. The cost of a longer one is not known. Default: any length."
  ),
  currency: optional(oneOf("USD"), "US dollars; there is no other."),
  date: optional(matching(/^\d{4}-\d{2}-\d{2}$/, 'a date such as "2026-05-01"'), "Of the price list.")
})
export type Prices = typeof Prices.Type
