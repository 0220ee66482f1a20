/** Made of catalog/providers.toml and catalog/models.toml by scripts/catalog.mjs: change those. */
import type { ModelInput, ProviderInput } from "./CatalogEntries.ts"

export const providers: ReadonlyArray<ProviderInput> = [
  {"id":"anthropic","display_name":"Anthropic","scheme":"anthropic","auth_hint":{"kind":"api_key","env":"ANTHROPIC_API_KEY"},"default_context_window":200000,"default_capability":{"reasoning":"effort","vision":true,"prompt_caching":{"kind":"explicit","max_breakpoints":4}}},
  {"id":"openai","display_name":"OpenAI","scheme":"openai_responses","auth_hint":{"kind":"api_key","env":"OPENAI_API_KEY"},"default_context_window":128000,"default_capability":{"reasoning":"effort","vision":true}},
  {"id":"ollama-local","display_name":"Ollama on this machine, through its Anthropic interface","scheme":"anthropic","base_url":"http://localhost:11434","auth_hint":{"kind":"none"},"default_context_window":128000,"default_limits":{"header_timeout":"5 minutes","first_event_timeout":"5 minutes"}},
  {"id":"openrouter","display_name":"OpenRouter","scheme":"openai_chat","base_url":"https://openrouter.ai/api/v1","auth_hint":{"kind":"api_key","env":"OPENROUTER_API_KEY"},"default_context_window":200000,"default_capability":{"vision":true}},
  {"id":"gemini","display_name":"Google Gemini","scheme":"gemini","auth_hint":{"kind":"api_key"},"default_context_window":1000000,"default_capability":{"reasoning":"effort","vision":true}},
  {"id":"codex-oauth","display_name":"OpenAI Codex with a ChatGPT account","scheme":"openai_responses","auth_hint":{"kind":"codex_oauth"},"default_context_window":400000,"default_capability":{"reasoning":"effort","vision":true}},
  {"id":"ollama","display_name":"Ollama on this machine","scheme":"openai_chat","base_url":"http://127.0.0.1:11434/v1","auth_hint":{"kind":"none"},"default_context_window":32768,"default_limits":{"header_timeout":"5 minutes","first_event_timeout":"5 minutes"}},
  {"id":"llama.cpp","display_name":"llama.cpp's llama-server on this machine","scheme":"openai_chat","base_url":"http://127.0.0.1:8080/v1","auth_hint":{"kind":"none"},"default_context_window":32768,"default_limits":{"header_timeout":"5 minutes","first_event_timeout":"5 minutes"}},
  {"id":"vllm","display_name":"vLLM on this machine","scheme":"openai_chat","base_url":"http://127.0.0.1:8000/v1","auth_hint":{"kind":"none"},"default_context_window":32768,"default_limits":{"header_timeout":"5 minutes","first_event_timeout":"5 minutes"}},
  {"id":"lmstudio","display_name":"LM Studio on this machine","scheme":"openai_chat","base_url":"http://127.0.0.1:1234/v1","auth_hint":{"kind":"none"},"default_context_window":32768,"default_limits":{"header_timeout":"5 minutes","first_event_timeout":"5 minutes"}}
]

export const models: ReadonlyArray<ModelInput> = [
  {"provider":"anthropic","id":"claude-opus-5-5","context_window":1000000},
  {"provider":"anthropic","id":"claude-sonnet-5-5","context_window":1000000},
  {"provider":"anthropic","id":"claude-haiku-5-5","context_window":1000000},
  {"provider":"anthropic","id":"claude-opus-5","context_window":1000000},
  {"provider":"anthropic","id":"claude-sonnet-5","context_window":1000000},
  {"provider":"anthropic","id":"claude-haiku-4-5","context_window":200000,"capability":{"reasoning":"budget_tokens"},"prices":{"input":1,"output":5,"cache_read":0.1,"cache_write":1.25,"date":"2025-10-15"}},
  {"provider":"anthropic","id":"claude-sonnet-4-5","context_window":200000,"capability":{"reasoning":"budget_tokens"},"prices":{"input":3,"output":15,"cache_read":0.3,"cache_write":3.75,"date":"2025-09-29"}},
  {"provider":"anthropic","id":"claude-opus-4-5","context_window":200000,"capability":{"reasoning":"budget_tokens"},"prices":{"input":5,"output":25,"cache_read":0.5,"cache_write":6.25,"date":"2025-11-24"}},
  {"provider":"openai","id":"gpt-5.4","context_window":1050000,"max_context_window":272000,"prices":{"input":2.5,"output":15,"cache_read":0.25,"up_to":272000,"date":"2026-03-05"}},
  {"provider":"openai","id":"gpt-5.4-mini","context_window":400000,"max_context_window":272000,"prices":{"input":0.75,"output":4.5,"cache_read":0.075,"date":"2026-03-17"}},
  {"provider":"openai","id":"gpt-5.2","context_window":400000,"max_context_window":272000,"prices":{"input":1.75,"output":14,"cache_read":0.175,"date":"2025-12-11"}},
  {"provider":"gemini","id":"gemini-3.8-flash","context_window":1048576},
  {"provider":"gemini","id":"gemini-3.1-pro-preview","context_window":1048576},
  {"provider":"gemini","id":"gemini-2.5-pro","context_window":1048576,"capability":{"reasoning":"budget_tokens"}},
  {"provider":"gemini","id":"gemini-2.5-flash","context_window":1048576,"capability":{"reasoning":"budget_tokens"}},
  {"provider":"ollama-local","id":"qwen3-coder","context_window":128000},
  {"provider":"ollama-local","id":"gpt-oss:20b","context_window":128000,"capability":{"reasoning":"effort"}},
  {"provider":"openrouter","id":"anthropic/claude-sonnet-5.5","context_window":1000000},
  {"provider":"openrouter","id":"openai/gpt-6.1-sol","context_window":1050000,"max_context_window":272000}
]
