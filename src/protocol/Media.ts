/**
 * What a tool shows besides text: an image or a document, for models that can see.
 *
 * It lies in the journal with the result it belongs to, so that every later request, and one after a restart, has it
 * again.
 */
import * as Schema from "effect/Schema"

export const Media = Schema.Struct({
  /** `image/png`, `image/jpeg`, `image/gif`, `image/webp` or `application/pdf`. */
  type: Schema.String,
  /** Base64. */
  data: Schema.String,
  /** Of the file, without its directories. */
  name: Schema.optionalKey(Schema.String)
})
export type Media = typeof Media.Type
