/** What hides lines of a segment: the marks that stand in it and were not lifted. */
import type { MarkRecord } from "../protocol/PodRecord.ts"

/** Lines from ≤ i < to of the file, hidden by the mark that stands on line `mark`. */
export interface HiddenRange {
  readonly mark: number
  readonly from: number
  readonly to: number
}

/** `line` is where the mark stands. */
export const withMark = (
  ranges: ReadonlyArray<HiddenRange>,
  mark: MarkRecord,
  line: number
): ReadonlyArray<HiddenRange> =>
  mark.op === "undo"
    ? ranges.filter((range) => range.mark !== mark.mark)
    : [...ranges, { mark: line, from: mark.from, to: mark.to }]
