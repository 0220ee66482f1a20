/** What a model gets of the media of a tool's result: what it can see, and words in the place of the rest. */
import type { LlmMessage } from "../../../src/llm/LlmRequest.ts"
import type { Media } from "../../../src/protocol/Media.ts"
import type { VendorOptions } from "./Vendor.ts"

type ToolResult = Extract<LlmMessage, { readonly role: "tool" }>["results"][number]

/** As `ModelInfo` has it. Who says nothing is taken to see. */
export const sight = ({ capability }: Pick<VendorOptions, "capability">) => {
  const vision = capability?.vision !== false
  return { vision, documents: capability?.documents ?? vision }
}

export const seen = (
  options: Pick<VendorOptions, "capability">,
  { media = [], text }: ToolResult
): { readonly text: string; readonly media: ReadonlyArray<Media> } => {
  const { documents, vision } = sight(options)
  const unseen = media.filter((one) => !(isImage(one) ? vision : documents))
  if (unseen.length === 0) return { text, media }
  const names = unseen.map(({ name, type }) => name ?? type).join(", ")
  return {
    text: `${text}\n[Not shown here: ${names}. This model cannot see it.]`,
    media: media.filter((one) => !unseen.includes(one))
  }
}

export const isImage = ({ type }: Media): boolean => type.startsWith("image/")

export const dataUrl = ({ data, type }: Media): string => `data:${type};base64,${data}`

export const fileName = ({ name }: Media): string => name ?? "document.pdf"
