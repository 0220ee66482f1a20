/**
 * How much of a list, or of a file, a result holds: always said, and always in the same words, so that nobody takes a
 * part for the whole, or a number for the thing.
 */

export interface Paging {
  readonly returned: number
  readonly total: number
  /** False if counting was stopped: then `total` is the least that there is. */
  readonly isExact: boolean
  /** The offset of what follows; undefined if nothing does. */
  readonly next: number | undefined
}

/** `noun` is in the plural. */
export const sentence = ({ isExact, next, returned, total }: Paging, noun: string): string =>
  `Returned ${returned} of ${isExact ? "" : "at least "}${total} ${noun}; next offset: ${next ?? "none"}.`

/** The same of pages of a document, which are asked for by their numbers: `next` is a range of them. */
export const pagesSentence = (returned: number, total: number, next: string | undefined): string =>
  `Returned ${returned} of ${total} pages; next pages: ${next ?? "none"}.`

/** Of a page that begins at `offset`. */
export const pageAt = (offset: number, returned: number, total: number, isExact: boolean): Paging => {
  const end = offset + returned
  return { returned, total, isExact, next: returned > 0 && (end < total || !isExact) ? end : undefined }
}
