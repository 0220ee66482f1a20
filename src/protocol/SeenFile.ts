/** A file as the model has seen or written it, whole: what it may change without reading it again. */
import * as Schema from "effect/Schema"

/** `path` is the real one. `sha256` is of the content, in hex. */
export const SeenFile = Schema.Struct({ path: Schema.String, sha256: Schema.String })
export type SeenFile = typeof SeenFile.Type
