/** Pages of a document as a model names them: "3", "1-5", "2,4-6". Counted from 1, bounded before any is counted. */
import * as Result from "effect/Result"

/** Pages of one call. A page is some thousand tokens to a model that sees it. */
export const maxPages = 20

/** No document has a page of this number. */
const endless = 10_000_000

const form = `Pages are given like "3", "1-5" or "2,4-6", counted from 1, at most ${maxPages} in one call`

/** Ascending, each once; or why not, for the model. */
export const parse = (text: string): Result.Result<ReadonlyArray<number>, string> => {
  const refuse = (why: string) => Result.fail(`pages: ${JSON.stringify(text.slice(0, 80))} ${why}. ${form}.`)
  const pages = new Set<number>()
  for (const part of text.split(",")) {
    const found = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part)
    if (found === null) return refuse("names no pages")
    const first = Number(found[1])
    const last = Number(found[2] ?? found[1])
    if (first < 1) return refuse("begins before the first page")
    if (last >= endless) return refuse("goes beyond any document")
    if (last < first) return refuse("has a range that ends before it begins")
    if (last - first >= maxPages) return refuse(`is ${last - first + 1} pages and more`)
    for (let page = first; page <= last; page++) pages.add(page)
    if (pages.size > maxPages) return refuse(`is more than ${maxPages} pages`)
  }
  return Result.succeed([...pages].toSorted((a, b) => a - b))
}

/** `pages` in the form in which they are asked for; ascending. */
export const words = (pages: ReadonlyArray<number>): string => {
  const ranges: Array<[first: number, last: number]> = []
  for (const page of pages) {
    const range = ranges.at(-1)
    if (range?.[1] === page - 1) range[1] = page
    else ranges.push([page, page])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",")
}

/** As many pages behind `last`, if there are any. */
export const following = (last: number, count: number, total: number): string | undefined =>
  last >= total ? undefined : words(range(last + 1, Math.min(total, last + Math.max(1, count))))

export const range = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
