/**
 * From ripgrep's JSON to a count for each file. ripgrep's own counts leave out files that hold a NUL byte anywhere, also
 * those whose matches come before it.
 */
import type * as Effect from "effect/Effect"
import * as Text from "../scope/Text.ts"
import * as GrepRecords from "./GrepRecords.ts"
import type { Base } from "./SearchBase.ts"
import type { Page } from "./SearchPage.ts"

export interface GrepCounts {
  readonly before: (record: Uint8Array) => Effect.Effect<void> | undefined
  readonly onRecord: (record: Uint8Array) => void
  readonly matches: () => number
}

export const make = ({ base, page }: { readonly base: Base; readonly page: Page }): GrepCounts => {
  let shown: string | undefined
  let count = 0
  let matches = 0
  return {
    matches: () => matches,
    before: (record) => {
      const file = GrepRecords.fileOf(record)
      return file === undefined ? undefined : base.look(file, "content")
    },
    onRecord: (record) => {
      const file = GrepRecords.fileOf(record)
      if (file !== undefined) {
        shown = base.permitted(file)
        count = 0
      } else if (GrepRecords.isMatch(record)) count++
      else if (GrepRecords.isEnd(record) && shown !== undefined && count > 0) {
        matches += count
        const line = `${shown}:${count}`
        if (page.admit(Text.encode(line).length)) page.add(line)
      }
    }
  }
}
