/** A text that is made, read and written piece by piece, so that it is never held whole. */
import * as Stream from "effect/Stream"
import type { StorageError } from "./StorageError.ts"

/** Put together, the elements are the text: one long line, a part of one, or several. */
export type Pieces = Stream.Stream<string, StorageError>

/** The pieces with commas between them. */
export const separated = (pieces: Pieces): Pieces => Stream.map(pieces, (text, i) => (i === 0 ? text : `,${text}`))

/** `head` comes together with the first piece: what fails before there is one leaves nothing behind. */
export const enclosed = (head: string, pieces: Pieces, tail: string): Pieces =>
  Stream.suspend(() => {
    let before = head
    const body = Stream.map(pieces, (piece) => {
      const text = before + piece
      before = ""
      return text
    })
    return Stream.concat(
      body,
      Stream.sync(() => before + tail)
    )
  })
