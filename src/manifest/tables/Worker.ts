/** `[worker]`: how the agent is instructed, sampled and bounded. */
import * as Schema from "effect/Schema"
import type { RequestConfig } from "../../protocol/LogEntry.ts"
import { Count, defaulted, Int32, matching, optional, Positive, Text } from "../Fields.ts"

/** `$builtin/…`, `$user/…` or `$workspace/…`, then names without `.`, `..` or empty parts. */
export const instructionPattern = /^\$(builtin|user|workspace)((?:\/(?!\.{1,2}(?:\/|$))[^/\\\0]+)+)$/

export const defaultLanguage = "the language of the user's own words"

export const WorkerTable = Schema.Struct({
  instruction: defaulted(
    matching(instructionPattern, 'a reference such as "$builtin/default", "$user/name" or "$workspace/name"'),
    "$builtin/default",
    "The prompt to start from, by reference; `.md` is added."
  ),
  language: defaulted(Text, defaultLanguage, "The language to answer in, as words for the model."),
  max_tokens: optional(Count, "Tokens of one answer. Default: the vendor's (4096 for `anthropic`)."),
  max_turns: optional(Positive, "Model calls with tools in one run, then the run ends as `limit_reached`."),
  temperature: optional(Schema.Finite, "Sampling temperature; sent as it is."),
  top_p: optional(Schema.Finite, "Nucleus sampling; sent as it is."),
  top_k: optional(Count, "Top-k sampling; sent where the vendor knows it."),
  stop_sequences: defaulted(Schema.Array(Schema.String), [], "Texts that end an answer."),
  reasoning: optional(
    Schema.Union([Text, Int32]),
    "An effort label (`minimal`, `low`, `medium`, `high`, `xhigh`, …) or a token budget."
  ),
  tool_output: defaulted(
    Schema.Struct({
      default_max_bytes: defaulted(Count, 65_536, "Bytes of a tool's output that the model sees."),
      per_tool: defaulted(Schema.Record(Schema.String, Count), {}, "The same for single tools: `Grep = 20000`.")
    }),
    {},
    "How much of a tool's output is kept."
  ),
  file_upload: defaulted(
    Schema.Struct({ max_bytes: defaulted(Count, 262_144, "Bytes of one `@file` that are attached.") }),
    {},
    "How much of a referenced file is attached."
  )
})
export type WorkerTable = typeof WorkerTable.Type

/** The generation settings that every request of the pod carries and the journal records. */
export const requestConfig = (worker: WorkerTable): RequestConfig => ({
  max_tokens: worker.max_tokens ?? null,
  temperature: worker.temperature ?? null,
  top_p: worker.top_p ?? null,
  top_k: worker.top_k ?? null,
  stop_sequences: worker.stop_sequences,
  reasoning: worker.reasoning ?? null
})
