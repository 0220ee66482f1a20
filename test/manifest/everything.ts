import type { ManifestInput } from "../../src/manifest/Manifest.ts"

/** Every table and every key, none at its default. */
export const everything: ManifestInput = {
  pod: { name: "agent", prompt_pack: "/w/pack.toml", pwd: "/w" },
  model: {
    ref: "openrouter/anthropic/claude-sonnet-5.5",
    fallback: ["openai/gpt-5.4", "ollama-local/qwen3"],
    scheme: "openai_chat",
    base_url: "http://127.0.0.1:9/v1",
    model_id: "m",
    auth: { kind: "api_key", env: "MY_KEY", file: "/k" },
    capability: {
      tool_calling: "sequential",
      structured_output: "json_object",
      reasoning: "both",
      vision: true,
      documents: false,
      prompt_caching: { kind: "explicit", max_breakpoints: 4 }
    },
    context_window: 1000,
    max_context_window: 900,
    prices: {
      input: 2.5,
      output: 10,
      cache_read: 0.25,
      cache_write: 3,
      up_to: 1000,
      currency: "USD",
      date: "2026-05-01"
    },
    script: "/w/s.jsonl",
    limits: {
      connect_timeout: "4 seconds",
      header_timeout: "1 second",
      first_event_timeout: "2 minutes",
      idle_timeout: "1500 millis",
      stall_timeout: "3 minutes",
      total_timeout: "2 hours",
      retry_budget: "1 hour",
      max_attempts: 1,
      max_retry_after: "2 days"
    }
  },
  worker: {
    instruction: "$user/team/reviewer",
    language: "German",
    max_tokens: 100,
    max_turns: 7,
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    stop_sequences: ["END", 'quote " and \\ and \n and \u007f'],
    reasoning: -1,
    tool_output: { default_max_bytes: 10, per_tool: { Grep: 20, "odd.name": 30 } },
    file_upload: { max_bytes: 40 }
  },
  scope: {
    allow: [
      { target: "/w", permission: "write", recursive: false },
      { target: "/r", permission: "read" }
    ],
    deny: [{ target: "/w/secret", permission: "read" }]
  },
  budget: {
    run: { tokens: 1000, cost_usd: 0.5, turns: 3, wall_time: "10 minutes" },
    session: { tokens: 2000, cost_usd: 1.5, turns: 6, wall_time: "1 hour" }
  },
  session: { durability: "os", on_interrupted: "resume", record_event_trace: true },
  sandbox: { mode: "required", network: "deny", env_allow: ["LANG"] },
  permissions: {
    default_action: "ask",
    rule: [{ tool: "Bash", pattern: "git *", action: "allow" }],
    ask_timeout: "1 minute"
  },
  hooks: {
    command: [
      {
        name: "guard",
        on: ["pre_tool_call", "on_abort"],
        command: ["/w/guard.sh", "--strict"],
        tool: "Bash",
        timeout: "5 seconds",
        env_allow: ["GUARD_*"]
      }
    ]
  },
  spawn: {
    isolation: "fiber",
    max_depth: 1,
    max_children: 2,
    budget: { tokens: 5, cost_usd: 0.5, turns: 6, wall_time: "1 hour" }
  },
  compaction: { threshold: 1, request_threshold: 2, model: { scheme: "offline" } },
  web: {
    enabled: true,
    allow_private_addresses: true,
    search: { enabled: false, provider: "brave", api_key_env: "B", timeout_secs: 1, country: "de" },
    fetch: { enabled: true, redirect_limit: 0, allow_hosts: ["pages.test"] }
  },
  memory: { workspace_root: "/w", extract_threshold: 0, inject_summary: false, extract_model: { scheme: "offline" } },
  skills: { directories: ["/skills"] }
}
