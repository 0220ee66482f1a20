/** The disk said no. Subject and place are in the fields, so that a person can act on it. */
import * as Schema from "effect/Schema"

/**
 * * `Io`: the operation failed (ENOSPC, EIO, EROFS, …); `code` is the system's.
 * * `Exists` / `NotFound`: creating what is there, opening what is not.
 * * `Moved`: the file is not as long as its only writer left it: somebody else wrote to it.
 * * `Corrupt`: a committed line cannot be read; `line` and `byte` (both from 0) say where.
 * * `Newer`: the file was written by a newer version of this program.
 * * `Unsettled`: it failed, and whether it has happened nobody can tell.
 */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  reason: Schema.Literals(["Io", "Exists", "NotFound", "Moved", "Corrupt", "Newer", "Unsettled"]),
  operation: Schema.String,
  path: Schema.String,
  message: Schema.String,
  code: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Schema.Int),
  byte: Schema.optionalKey(Schema.Int),
  hint: Schema.optionalKey(Schema.String)
}) {}
