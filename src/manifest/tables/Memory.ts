/** `[memory]`: what the pod remembers over sessions. Absent: nothing. */
import * as Schema from "effect/Schema"
import { Count, defaulted, FilePath, optional, Positive, Text } from "../Fields.ts"
import { ModelTable } from "./Model.ts"

export const MemoryTable = Schema.Struct({
  workspace_root: optional(FilePath, "Where `.pod/memory` lies. Default: the working directory."),
  query_result_limit: defaulted(Count, 20, "Results of one query."),
  query_excerpt_lines: defaulted(Count, 3, "Lines around a hit."),
  inject_summary: defaulted(Schema.Boolean, true, "Whether the summary is part of the system prompt."),
  language: defaulted(Text, "English", "The language that memory is written in."),
  extract_model: optional(ModelTable, "The extracting model. Default: the pod's own."),
  extract_threshold: optional(Count, "Tokens after which memory is extracted by itself; 0 or absent: never."),
  extract_worker_max_turns: defaulted(Positive, 8, "Model calls of one extraction."),
  consolidation_model: optional(ModelTable, "The consolidating model. Default: the pod's own."),
  consolidation_threshold_files: optional(Count, "Files that start consolidation; 0 or absent: never."),
  consolidation_threshold_bytes: optional(Count, "Bytes that start consolidation; 0 or absent: never.")
})
export type MemoryTable = typeof MemoryTable.Type
