/**
 * Typed pieces of user input, and the one rule that turns them into text for the model.
 *
 * `flatten` is pure and shared by the live path and by replay: the same input always gives the same bytes.
 */
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"

const Uint32 = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff }))

export const TextSegment = Schema.Struct({ kind: Schema.tag("text"), content: Schema.String })
export const PasteSegment = Schema.Struct({
  kind: Schema.tag("paste"),
  id: Uint32,
  chars: Uint32,
  lines: Uint32,
  content: Schema.String
})
export const FileRefSegment = Schema.Struct({ kind: Schema.tag("file_ref"), path: Schema.String })
export const KnowledgeRefSegment = Schema.Struct({ kind: Schema.tag("knowledge_ref"), slug: Schema.String })
export const WorkflowInvokeSegment = Schema.Struct({ kind: Schema.tag("workflow_invoke"), slug: Schema.String })

const known = ["text", "paste", "file_ref", "knowledge_ref", "workflow_invoke"]

/** A kind that this build does not know. Its fields are dropped: it writes back as `{"kind":"unknown"}`. */
export const UnknownSegment = Schema.Struct({
  kind: Schema.String.check(
    Schema.makeFilter((kind: string) => !known.includes(kind), {
      expected: `a kind other than ${known.join(", ")}`,
      toJsonSchema: () => ({ not: { enum: known } })
    })
  ).pipe(
    Schema.decodeTo(Schema.Literal("unknown"), {
      decode: SchemaGetter.transform(() => "unknown" as const),
      encode: SchemaGetter.transform((kind: string) => kind)
    })
  )
})

export const Segment = Schema.Union([
  TextSegment,
  PasteSegment,
  FileRefSegment,
  KnowledgeRefSegment,
  WorkflowInvokeSegment,
  UnknownSegment
]).annotate({ identifier: "Segment" })
export type Segment = typeof Segment.Type

const flattenOne = (segment: Segment): string => {
  switch (segment.kind) {
    case "text":
    case "paste":
      return segment.content
    case "file_ref":
      return `@${segment.path}`
    case "knowledge_ref":
      return `#${segment.slug}`
    case "workflow_invoke":
      return `/${segment.slug}`
    case "unknown":
      return "[unknown input segment]"
  }
}

/** The user message that the model sees: the pieces one after the other, with nothing between them. */
export const flatten = (segments: ReadonlyArray<Segment>): string => segments.map(flattenOne).join("")

/** One line for lists: pieces trimmed and joined by a space, at most `max` characters and then `…`. */
export const preview = (segments: ReadonlyArray<Segment>, max = 120): string => {
  const line = segments
    .map((segment) => flattenOne(segment).trim())
    .join(" ")
    .replace(/[\r\n]+/g, " ")
  const chars = Array.from(line)
  return chars.length <= max ? line : `${chars.slice(0, max).join("")}…`
}

export const text = (content: string): Segment => ({ kind: "text", content })
