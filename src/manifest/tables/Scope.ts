/** `[scope]`: the files that the pod may read and write. What the rules mean together is decided in `../../scope`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Permission } from "../../protocol/ScopeRule.ts"
import { defaulted, FilePath, required } from "../Fields.ts"

const Rule = Schema.Struct({
  target: required(FilePath, "A directory or file; relative paths start at the manifest's directory."),
  permission: required(Permission, "`read` or `write`; `write` includes reading."),
  recursive: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))).annotateKey({
    description: "Everything below the target; `false`: the target and its direct children only."
  })
})

export const ScopeTable = Schema.Struct({
  allow: required(
    Schema.Array(Rule).check(Schema.isMinLength(1, { expected: "at least one [[scope.allow]]" })),
    "What is allowed; at least one rule."
  ),
  deny: defaulted(Schema.Array(Rule), [], "What is taken out again: a deny always wins over an allow.")
})
export type ScopeTable = typeof ScopeTable.Type
