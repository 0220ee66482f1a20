/** Tools for pods on the bench. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tool from "../../src/tools/Tool.ts"

/** A tool that says when it has begun, and never ends by itself. */
export const stuck = (idempotent = false) =>
  Effect.map(Deferred.make<void>(), (begun) => ({
    begun,
    tool: Tool.make({
      name: "Stuck",
      description: "never ends",
      parameters: Schema.Struct({}),
      idempotent,
      run: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
    })
  }))

/** A tool that has an effect, and counts how often it had it. */
export const counting = (name: string, idempotent = false) => {
  let runs = 0
  const tool = Tool.make({
    name,
    description: "has an effect, and takes whatever it is given",
    parameters: Schema.Record(Schema.String, Schema.Json),
    idempotent,
    run: () =>
      Effect.sync(() => {
        runs += 1
        return { summary: "done" }
      })
  })
  return { tool, runs: () => runs }
}
