/**
 * The providers and models that are known without being told.
 *
 * A model that is not in here works too: it takes what its provider says, and a warning. Windows are in tokens;
 * `maxContextWindow` keeps requests below a step in the vendor's prices.
 */
import type { Auth, Capability, Scheme } from "./tables/Model.ts"

export interface CatalogProvider {
  readonly id: string
  readonly name: string
  readonly scheme: Scheme
  readonly baseUrl?: string
  readonly auth: Auth
  readonly contextWindow: number
  readonly capability: Partial<Capability>
}

export interface CatalogModel {
  readonly id: string
  readonly provider: string
  readonly contextWindow: number
  readonly maxContextWindow?: number
  readonly capability?: Partial<Capability>
}

export const providers: ReadonlyArray<CatalogProvider> = [
  {
    id: "anthropic",
    name: "Anthropic",
    scheme: "anthropic",
    auth: { kind: "api_key", env: "ANTHROPIC_API_KEY" },
    contextWindow: 200_000,
    capability: { reasoning: "effort", vision: true, prompt_caching: { kind: "explicit", max_breakpoints: 4 } }
  },
  {
    id: "openai",
    name: "OpenAI",
    scheme: "openai_responses",
    auth: { kind: "api_key", env: "OPENAI_API_KEY" },
    contextWindow: 128_000,
    capability: { reasoning: "effort", vision: true }
  },
  {
    id: "ollama-local",
    name: "Ollama on this machine",
    scheme: "anthropic",
    baseUrl: "http://localhost:11434",
    auth: { kind: "none" },
    contextWindow: 128_000,
    capability: {}
  },
  {
    id: "openrouter",
    name: "OpenRouter",
    scheme: "openai_chat",
    baseUrl: "https://openrouter.ai/api/v1",
    auth: { kind: "api_key", env: "OPENROUTER_API_KEY" },
    contextWindow: 200_000,
    capability: { vision: true }
  },
  {
    id: "gemini",
    name: "Google Gemini",
    scheme: "gemini",
    // Without a name of its own: the scheme's two variables count.
    auth: { kind: "api_key" },
    contextWindow: 1_000_000,
    capability: { reasoning: "effort", vision: true }
  },
  {
    id: "codex-oauth",
    name: "OpenAI Codex with a ChatGPT account",
    scheme: "openai_responses",
    auth: { kind: "codex_oauth" },
    contextWindow: 400_000,
    capability: { reasoning: "effort", vision: true }
  }
]

export const models: ReadonlyArray<CatalogModel> = [
  { id: "claude-opus-5-5", provider: "anthropic", contextWindow: 1_000_000 },
  { id: "claude-sonnet-5-5", provider: "anthropic", contextWindow: 1_000_000 },
  { id: "claude-haiku-5-5", provider: "anthropic", contextWindow: 1_000_000 },
  { id: "claude-opus-5", provider: "anthropic", contextWindow: 1_000_000 },
  { id: "claude-sonnet-5", provider: "anthropic", contextWindow: 1_000_000 },
  { id: "claude-haiku-4-5", provider: "anthropic", contextWindow: 200_000, capability: { reasoning: "budget_tokens" } },
  { id: "gpt-5.4", provider: "openai", contextWindow: 1_050_000, maxContextWindow: 272_000 },
  { id: "gpt-5.4-mini", provider: "openai", contextWindow: 400_000, maxContextWindow: 272_000 },
  { id: "gpt-5.2", provider: "openai", contextWindow: 400_000, maxContextWindow: 272_000 },
  { id: "gemini-3.8-flash", provider: "gemini", contextWindow: 1_048_576 },
  { id: "gemini-3.1-pro-preview", provider: "gemini", contextWindow: 1_048_576 },
  { id: "gemini-2.5-pro", provider: "gemini", contextWindow: 1_048_576, capability: { reasoning: "budget_tokens" } },
  { id: "gemini-2.5-flash", provider: "gemini", contextWindow: 1_048_576, capability: { reasoning: "budget_tokens" } },
  { id: "qwen3-coder", provider: "ollama-local", contextWindow: 128_000 },
  { id: "gpt-oss:20b", provider: "ollama-local", contextWindow: 128_000, capability: { reasoning: "effort" } },
  { id: "anthropic/claude-sonnet-5.5", provider: "openrouter", contextWindow: 1_000_000 },
  { id: "openai/gpt-6.1-sol", provider: "openrouter", contextWindow: 1_050_000, maxContextWindow: 272_000 }
]

/** What a pod uses when only a key says which vendor. */
export const defaultModel = { anthropic: "claude-sonnet-5-5", openai: "gpt-5.4", gemini: "gemini-3.8-flash" } as const

export const findProvider = (id: string): CatalogProvider | undefined =>
  providers.find((provider) => provider.id === id)

export const findModel = (provider: string, id: string): CatalogModel | undefined =>
  models.find((model) => model.provider === provider && model.id === id)
