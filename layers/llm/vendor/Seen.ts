/** What a model gets of the media of a tool's result: all of it if it can see, words in their place if it cannot. */
import type { LlmMessage } from "../../../src/llm/LlmRequest.ts"
import type { Media } from "../../../src/protocol/Media.ts"
import type { VendorOptions } from "./Vendor.ts"

type ToolResult = Extract<LlmMessage, { readonly role: "tool" }>["results"][number]

export const seen = (
  { capability }: Pick<VendorOptions, "capability">,
  { media = [], text }: ToolResult
): { readonly text: string; readonly media: ReadonlyArray<Media> } => {
  if (media.length === 0 || capability?.vision !== false) return { text, media }
  const names = media.map(({ name, type }) => name ?? type).join(", ")
  return { text: `${text}\n[Not shown here: ${names}. This model cannot see it.]`, media: [] }
}

export const isImage = ({ type }: Media): boolean => type.startsWith("image/")

export const dataUrl = ({ data, type }: Media): string => `data:${type};base64,${data}`

export const fileName = ({ name }: Media): string => name ?? "document.pdf"
