/** Manifests of pods that speak to a model server of the test's own. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Place } from "./cli.ts"
import type { Dialect, VendorServer } from "./VendorServer.ts"

export const keys = {
  ANTHROPIC_API_KEY: "sk-anthropic-secret",
  OPENAI_API_KEY: "sk-openai-secret",
  GEMINI_API_KEY: "AIza-gemini-secret"
} as const

const schemes = {
  anthropic: "anthropic",
  openai: "openai_chat",
  responses: "openai_responses",
  gemini: "gemini"
} as const satisfies Record<Dialect, string>

/** Writes `pod.toml` into the place's directory and returns its path; the pod's name is `pod`. */
export const vendorManifest = (place: Place, dialect: Dialect, baseUrl: string, more = ""): string => {
  const path = join(place.cwd, "pod.toml")
  writeFileSync(
    path,
    [
      `[pod]`,
      `name = "pod"`,
      `[[scope.allow]]`,
      `target = "."`,
      `permission = "write"`,
      `[model]`,
      `scheme = "${schemes[dialect]}"`,
      `model_id = "test-1"`,
      `base_url = "${baseUrl}"`,
      `auth = { kind = "api_key" }`,
      more,
      ""
    ].join("\n")
  )
  return path
}

export const urlOf = (server: VendorServer, dialect: Dialect): string =>
  dialect === "anthropic" || dialect === "gemini" ? server.anthropicUrl : server.openAiUrl
