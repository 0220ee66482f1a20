/** `[compaction]`: shrinking a conversation that grows too long. Absent: neither pruning nor compaction. */
import * as Schema from "effect/Schema"
import { Count, defaulted, optional, Positive } from "../Fields.ts"
import { ModelTable } from "./Model.ts"

export const CompactionTable = Schema.Struct({
  prune_protected_tokens: defaulted(Count, 8000, "Newest tokens whose tool outputs are never pruned."),
  prune_min_savings: defaulted(Count, 4096, "Tokens that pruning must save to happen."),
  threshold: optional(Positive, "Tokens of context at which a run is preceded by compaction."),
  request_threshold: optional(Positive, "Tokens of context at which a run is interrupted for compaction."),
  retained_tokens: defaulted(Count, 8000, "Newest tokens that are kept as they are."),
  overview_target_tokens: defaulted(Count, 8000, "What the compacting model should read for its overview."),
  overview_warning_tokens: defaulted(Count, 16_000, "When it is told to come to an end."),
  overview_deadline_tokens: defaulted(Count, 40_000, "When it must write its summary."),
  worker_context_max_tokens: defaulted(Count, 50_000, "Context of the compacting model."),
  finish_warning_remaining_tokens: defaulted(Count, 8000, "Remaining context at which it is warned."),
  final_reserve_tokens: defaulted(Count, 4000, "Context kept free for the summary."),
  worker_max_turns: defaulted(Positive, 20, "Model calls of one compaction."),
  summary_target_tokens: defaulted(Count, 2000, "Length of the summary to aim at."),
  summary_max_tokens: defaulted(Count, 4000, "Longest summary that is accepted."),
  auto_read_budget_tokens: defaulted(Count, 8000, "Files that are read again after compaction."),
  result_context_max_tokens: defaulted(Count, 60_000, "Longest context that compaction may leave."),
  model: optional(ModelTable, "The compacting model. Default: the pod's own.")
})
export type CompactionTable = typeof CompactionTable.Type
