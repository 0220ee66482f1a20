/** The pages of a PDF document. Documents are hostile input: the work is done where it can be ended from outside. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * `Locked`: it wants a password. `Broken`: it is no PDF document, or none that can be understood. `TooSlow`, `TooLarge`:
 * it needs more time or memory than it may have. `Failed`: nobody was there to read it.
 */
export class PdfError extends Schema.TaggedError<PdfError>()("PdfError", {
  reason: Schema.Literals(["Locked", "Broken", "TooSlow", "TooLarge", "Failed"]),
  message: Schema.String
}) {}

export interface PdfFacts {
  /** Pages. */
  readonly total: number
  /** It opens without a password, but is not readable for everybody. */
  readonly encrypted: boolean
}

export interface PdfPart extends PdfFacts {
  /** Which pages it has, ascending; fewer than were asked for where they did not fit, none where not one fits. */
  readonly pages: ReadonlyArray<number>
  /** A document of these pages alone, in base64. It is encrypted as the whole one is. */
  readonly data: string
}

export interface PdfPageText {
  readonly page: number
  readonly text: string
  /** Of all the text of the page, in UTF-16 units; `text` may be less. */
  readonly length: number
  /** False where something of the page could not be read. */
  readonly whole: boolean
}

export interface PdfTexts extends PdfFacts {
  /** Ascending; fewer than were asked for where the text of the first ones is enough. */
  readonly pages: ReadonlyArray<PdfPageText>
}

/** Pages are counted from 1, and asked for ascending; those that the document does not have are left out. */
export class PdfReader extends Context.Service<
  PdfReader,
  {
    readonly look: (document: Uint8Array) => Effect.Effect<PdfFacts, PdfError>
    readonly cut: (
      document: Uint8Array,
      pages: ReadonlyArray<number>,
      maxBytes: number
    ) => Effect.Effect<PdfPart, PdfError>
    /** The text of the pages up to the one with which it becomes `maxCharacters` (UTF-16 units) or more. */
    readonly text: (
      document: Uint8Array,
      pages: ReadonlyArray<number>,
      maxCharacters: number
    ) => Effect.Effect<PdfTexts, PdfError>
  }
>()("effect-pod/runtime/PdfReader") {}
