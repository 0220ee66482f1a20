/**
 * A reader of the seed protocol as strict as the strictest there is, written from the protocol's description and from
 * nothing in `src`: unknown event names and words, missing fields, fractions, negative counts and a `data` on an event
 * without payload are all fatal. Unknown keys are not.
 */
import * as Schema from "effect/Schema"

const U = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const S = Schema.String
const B = Schema.Boolean
const words = <const W extends ReadonlyArray<string>>(...list: W) => Schema.Literals(list)
/** May be missing or null. */
const opt = <X extends Schema.Top>(schema: X) => Schema.optionalKey(Schema.NullOr(schema))
const list = <X extends Schema.Top>(schema: X) => Schema.Array(schema)
const struct = <F extends Schema.Struct.Fields>(fields: F) => Schema.Struct(fields)
const kind = <K extends string, F extends Schema.Struct.Fields>(name: K, fields: F) =>
  Schema.Struct({ kind: Schema.Literal(name), ...fields })

const knownSegments = new Set(["text", "paste", "file_ref", "knowledge_ref", "workflow_invoke"])
const segment = Schema.Union([
  kind("text", { content: S }),
  kind("paste", { id: U, chars: U, lines: U, content: S }),
  kind("file_ref", { path: S }),
  kind("knowledge_ref", { slug: S }),
  kind("workflow_invoke", { slug: S }),
  struct({ kind: S.check(Schema.makeFilter((word: string) => !knownSegments.has(word))) })
])

const rule = struct({ target: S, permission: words("read", "write"), recursive: Schema.optionalKey(B) })
const podEvent = Schema.Union([
  kind("turn_ended", { pod_name: S }),
  kind("errored", { pod_name: S, message: S }),
  kind("shut_down", { pod_name: S }),
  kind("scope_sub_delegated", { parent_pod: S, sub_pod: S, sub_socket: S, scope: list(rule) })
])
const systemItem = Schema.Union([
  kind("notification", { message: S, body: S }),
  kind("pod_event", { event: podEvent, body: S }),
  kind("file_attachment", { path: S, body: S }),
  kind("knowledge", { slug: S, body: S }),
  kind("workflow", { slug: S, body: S }),
  kind("task_reminder", { source: Schema.optionalKey(words("task_inactivity")), body: S }),
  kind("interrupt", { body: S })
])
const toolResultItem = kind("tool_result", { call_id: S, summary: S, content: opt(S), is_error: Schema.optionalKey(B) })
const item = Schema.Union([
  kind("message", {
    role: words("user", "assistant", "system"),
    content: list(Schema.Union([kind("text", { text: S }), kind("refusal", { refusal: S })]))
  }),
  kind("tool_call", { call_id: S, name: S, arguments: S }),
  toolResultItem,
  kind("reasoning", { text: S, summary: Schema.optionalKey(list(S)), encrypted_content: opt(S), signature: opt(S) })
])

const invokeKind = words("user_send", "notify", "pod_event", "system_reminder", "wakeup")
const config = struct({
  max_tokens: opt(U),
  temperature: opt(Schema.Finite),
  top_p: opt(Schema.Finite),
  top_k: opt(U),
  stop_sequences: list(S),
  reasoning: opt(Schema.Union([S, Schema.Int]))
})
const origin = struct({ segment_id: S, at_turn_index: U })
const segmentStart = kind("segment_start", {
  ts: U,
  session_id: S,
  system_prompt: opt(S),
  config,
  history: list(item),
  forked_from: opt(origin),
  compacted_from: opt(origin)
})
/** A line of a segment file. */
export const strictSeedEntry = Schema.Union([
  segmentStart,
  kind("invoke", { ts: U, trigger: invokeKind }),
  kind("user_input", { ts: U, segments: list(segment) }),
  kind("assistant_item", { ts: U, item }),
  kind("tool_result", { ts: U, item: toolResultItem }),
  kind("system_item", { ts: U, item: systemItem }),
  kind("turn_end", { ts: U, turn_count: U }),
  kind("run_completed", {
    ts: U,
    interrupted: B,
    result: words("finished", "paused", "limit_reached", "yielded")
  }),
  kind("run_errored", { ts: U, interrupted: B, message: S }),
  kind("config_changed", { ts: U, config }),
  kind("llm_usage", {
    ts: U,
    history_len: U,
    input_total_tokens: U,
    cache_read_tokens: U,
    cache_write_tokens: U,
    output_tokens: U
  }),
  kind("extension", { ts: U, domain: S, payload: Schema.Json })
])

const status = words("idle", "running", "paused")
const pod = {
  pod_name: S,
  visibility: words("self_pod", "spawned_child"),
  active: opt(struct({ session_id: S, segment_id: opt(S) })),
  live: struct({ socket_path: S, reachable: B, status: opt(status), error: opt(S) }),
  restore: struct({ possible: B, restore_name: opt(S), reason: opt(S) }),
  spawned_children: struct({ count: U, reachable: U, unreachable: U })
}

const event = <N extends string, F extends Schema.Struct.Fields>(name: N, fields: F) =>
  Schema.Struct({ event: Schema.Literal(name), data: Schema.Struct(fields) })
const signal = <N extends string>(name: N) =>
  Schema.Struct({ event: Schema.Literal(name), data: Schema.optionalKey(Schema.Null) })

export const strictSeedEvent = Schema.Union([
  event("user_message", { segments: list(segment) }),
  event("system_item", { item: systemItem }),
  event("invoke_start", { kind: invokeKind }),
  event("turn_start", { turn: U }),
  event("turn_end", { turn: U, result: words("finished", "paused") }),
  event("llm_call_start", { llm_call: U }),
  event("llm_call_end", { llm_call: U }),
  event("llm_retry", {
    llm_call: U,
    failed_attempt: U,
    max_attempts: U,
    wait_ms: U,
    elapsed_ms: U,
    status: opt(U),
    error: S
  }),
  event("llm_continuation", { llm_call: U, attempt: U, max_attempts: U, reason: S }),
  event("text_delta", { text: S }),
  event("text_done", { text: S }),
  signal("thinking_start"),
  event("thinking_delta", { text: S }),
  event("thinking_done", { text: S }),
  event("tool_call_start", { id: S, name: S }),
  event("tool_call_args_delta", { id: S, json: S }),
  event("tool_call_done", { id: S, name: S, arguments: S }),
  event("tool_result", { id: S, summary: S, output: opt(S), is_error: B }),
  event("usage", { input_tokens: Schema.NullOr(U), output_tokens: Schema.NullOr(U), cache_read_input_tokens: opt(U) }),
  event("run_end", { result: words("finished", "paused", "limit_reached", "rolled_back") }),
  event("error", {
    code: words(
      "already_running",
      "not_running",
      "not_paused",
      "provider_error",
      "tool_error",
      "invalid_request",
      "internal"
    ),
    message: S
  }),
  event("snapshot", {
    entries: list(strictSeedEntry),
    greeting: struct({
      pod_name: S,
      cwd: S,
      provider: S,
      model: S,
      scope_summary: S,
      tools: list(S),
      context_window: U,
      context_tokens: U
    }),
    status
  }),
  event("segment_rotated", { entry: strictSeedEntry }),
  event("status", { status }),
  event("completions", {
    kind: words("file", "knowledge", "workflow"),
    entries: list(struct({ value: S, is_dir: B }))
  }),
  event("rewind_targets", {
    head_entries: U,
    targets: list(
      struct({
        id: struct({ segment_id: S, user_input_entry_index: U }),
        expected_head_entries: U,
        truncate_entries: U,
        turn_index: U,
        timestamp_ms: Schema.NullOr(Schema.Int),
        preview: S,
        eligible: B,
        disabled_reason: opt(S),
        warning: opt(S)
      })
    )
  }),
  event("rewind_applied", {
    entries: list(strictSeedEntry),
    input: list(segment),
    summary: struct({ truncated_to_entries: U, discarded_entries: U, tool_side_effect_warning: B })
  }),
  event("visible_pods", {
    pods: list(struct({ ...pod, state: words("readable", "missing", "corrupt"), error: opt(S) }))
  }),
  event("pod_inspection", { pod: struct(pod) }),
  event("pod_attach_restore", {
    result: Schema.Union([
      struct({ action: Schema.Literal("attached"), pod_name: S, socket_path: S, status: opt(status) }),
      struct({ action: Schema.Literal("restored"), pod_name: S, socket_path: S })
    ])
  }),
  event("alert", {
    level: words("warn", "error"),
    source: words("pod", "worker", "compactor", "agents_md"),
    message: S,
    timestamp_ms: Schema.Int
  }),
  event("memory_worker", {
    worker: words("extract", "consolidation"),
    status: words("running", "done", "skipped", "failed", "cancelled"),
    run_id: S,
    trigger: S,
    reason: S,
    message: S,
    timestamp_ms: Schema.Int
  }),
  signal("compact_start"),
  event("compact_done", { new_segment_id: S }),
  event("compact_failed", { error: S }),
  signal("shutdown")
])
