/**
 * What a parent gives a child at its start: a partial manifest, laid over the built-in defaults.
 *
 * Null and a missing key both mean that nothing was said. Only the form is known here; what the keys mean, and which
 * words and numbers are any good, is decided where the manifest is decoded. The last six tables are carried as they
 * are: a parent of the seed leaves them null.
 */
import * as Schema from "effect/Schema"
import { Count, defaulted, nullable, omittable } from "./Fields.ts"
import { ScopeRule } from "./ScopeRule.ts"

const Table = Schema.Record(Schema.String, Schema.Json)

const Auth = Schema.Union([
  Schema.Struct({ kind: Schema.tag("none") }),
  Schema.Struct({ kind: Schema.tag("api_key"), env: nullable(Schema.String), file: nullable(Schema.String) }),
  Schema.Struct({ kind: Schema.tag("codex_oauth") }),
  Schema.Struct({ kind: Schema.tag("secret_ref"), ref: Schema.String })
])

const Model = Schema.Struct({
  ref: omittable(Schema.String),
  scheme: omittable(Schema.String),
  base_url: omittable(Schema.String),
  model_id: omittable(Schema.String),
  auth: omittable(Auth),
  capability: omittable(Table),
  context_window: omittable(Count),
  max_context_window: omittable(Count)
})

const Worker = Schema.Struct({
  instruction: nullable(Schema.String),
  language: nullable(Schema.String),
  max_tokens: nullable(Count),
  max_turns: nullable(Count),
  temperature: nullable(Schema.Finite),
  top_p: nullable(Schema.Finite),
  top_k: nullable(Count),
  stop_sequences: nullable(Schema.Array(Schema.String)),
  reasoning: nullable(Schema.Union([Schema.String, Schema.Int])),
  tool_output: nullable(
    Schema.Struct({
      default_max_bytes: nullable(Count),
      per_tool: defaulted(Schema.Record(Schema.String, Count), {})
    })
  ),
  file_upload: nullable(Schema.Struct({ max_bytes: nullable(Count) }))
})

export const SpawnConfig = Schema.Struct({
  pod: nullable(Schema.Struct({ name: nullable(Schema.String), prompt_pack: nullable(Schema.String) })),
  model: nullable(Model),
  worker: nullable(Worker),
  scope: nullable(
    Schema.Struct({
      allow: defaulted(Schema.Array(ScopeRule), []),
      deny: defaulted(Schema.Array(ScopeRule), [])
    })
  ),
  session: nullable(Table),
  permissions: nullable(Table),
  compaction: nullable(Table),
  web: nullable(Table),
  memory: nullable(Table),
  skills: nullable(Table)
})
export type SpawnConfig = typeof SpawnConfig.Type
