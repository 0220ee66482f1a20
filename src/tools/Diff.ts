/**
 * What a change did, as a unified diff that is bounded in time and in bytes.
 *
 * The shortest diff where the two sides differ in a few hundred lines; beyond that, one block of old lines and one of
 * new ones: still true, and found at once.
 */
import * as Text from "../scope/Text.ts"
import { maxLineBytes } from "./LineWindow.ts"

/** Lines around a change. */
const around = 3

/** Lines removed and added together up to which the shortest diff is looked for. */
const maxDistance = 400

type Side = " " | "-" | "+"

interface Line {
  readonly side: Side
  readonly text: string
}

/** Lines with their ends, so that joining them gives the text. */
const linesOf = (text: string): ReadonlyArray<string> => text.match(/[^\n]*\n|[^\n]+$/g) ?? []

const commonPrefix = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): number => {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return length
}

const commonSuffix = (a: ReadonlyArray<string>, b: ReadonlyArray<string>, most: number): number => {
  let length = 0
  while (length < most && a[a.length - 1 - length] === b[b.length - 1 - length]) length++
  return length
}

const replaced = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): ReadonlyArray<Line> => [
  ...a.map((text): Line => ({ side: "-", text })),
  ...b.map((text): Line => ({ side: "+", text }))
]

/** Myers' greedy algorithm, with the furthest points of each step kept to walk back. */
const shortest = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): ReadonlyArray<Line> => {
  const most = Math.min(a.length + b.length, maxDistance)
  const steps: Array<ReadonlyArray<number>> = []
  let furthest = [0]
  for (let distance = 0; distance <= most; distance++) {
    // Diagonal k has index k + distance.
    const next: Array<number> = []
    for (let k = -distance; k <= distance; k += 2) {
      const [left = -1, right = -1] = [furthest[k - 1 + distance - 1], furthest[k + 1 + distance - 1]]
      let x = distance === 0 ? 0 : k === -distance || (k !== distance && left < right) ? right : left + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++
      next[k + distance] = x
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, [...steps, next])
    }
    steps.push(next)
    furthest = next
  }
  return replaced(a, b)
}

const walkBack = (
  a: ReadonlyArray<string>,
  b: ReadonlyArray<string>,
  steps: ReadonlyArray<ReadonlyArray<number>>
): ReadonlyArray<Line> => {
  const lines: Array<Line> = []
  let x = a.length
  let y = b.length
  for (let distance = steps.length - 1; distance > 0; distance--) {
    const before = steps[distance - 1] ?? []
    const k = x - y
    const [left = -1, right = -1] = [before[k - 1 + distance - 1], before[k + 1 + distance - 1]]
    const isAdded = k === -distance || (k !== distance && left < right)
    const from = isAdded ? right : left
    const start = isAdded ? from : from + 1
    while (x > start) {
      lines.push({ side: " ", text: a[--x] as string })
      y--
    }
    if (isAdded) lines.push({ side: "+", text: b[--y] as string })
    else lines.push({ side: "-", text: a[--x] as string })
  }
  while (x > 0) lines.push({ side: " ", text: a[--x] as string })
  return lines.toReversed()
}

export const compare = (before: string, after: string): ReadonlyArray<Line> => {
  const a = linesOf(before)
  const b = linesOf(after)
  const head = commonPrefix(a, b)
  const tail = commonSuffix(a, b, Math.min(a.length, b.length) - head)
  const same = (lines: ReadonlyArray<string>) => lines.map((text): Line => ({ side: " ", text }))
  return [
    ...same(a.slice(0, head)),
    ...shortest(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.slice(a.length - tail))
  ]
}

const render = ({ side, text }: Line): string => {
  const hasEnd = text.endsWith("\n")
  const visible = text.replace(/\r?\n$/, "")
  const bytes = Text.encode(visible)
  const kept = Text.boundaryBefore(bytes, maxLineBytes)
  const shown = kept === bytes.length ? visible : Text.decodeLossy(bytes.subarray(0, kept))
  const cut = kept === bytes.length ? "" : ` [... ${bytes.length - kept} bytes of this line left out]`
  return `${side}${shown}${cut}\n${hasEnd ? "" : "\\ No newline at end of file\n"}`
}

/** Stretches of lines with a change in them and what lies around it: from ≤ i < to. */
const hunksOf = (lines: ReadonlyArray<Line>): ReadonlyArray<{ readonly from: number; readonly to: number }> => {
  const hunks: Array<{ from: number; to: number }> = []
  for (const [index, { side }] of lines.entries()) {
    if (side === " ") continue
    const last = hunks.at(-1)
    if (last !== undefined && index - around <= last.to) last.to = index + around + 1
    else hunks.push({ from: Math.max(0, index - around), to: index + around + 1 })
  }
  return hunks.map(({ from, to }) => ({ from, to: Math.min(to, lines.length) }))
}

/** A file's side of a hunk, as `@@` lines have it: with no lines, the line it follows. */
const span = (start: number, count: number): string =>
  `${count === 0 ? start : start + 1}${count === 1 ? "" : `,${count}`}`

const countWithout = (lines: ReadonlyArray<Line>, side: Side): number =>
  lines.filter((line) => line.side !== side).length

/** Where the line that is `count` lines before the one at `at` begins. */
const back = (text: string, at: number, count: number): number => {
  let start = text.lastIndexOf("\n", at - 1) + 1
  if (at === 0) start = 0
  for (let n = 0; n < count && start > 0; n++) start = start === 1 ? 0 : text.lastIndexOf("\n", start - 2) + 1
  return start
}

/** Where the line that is `count` lines behind the one at `at` ends. */
const ahead = (text: string, at: number, count: number): number => {
  let end = at
  for (let n = 0; n <= count && end < text.length; n++) {
    const next = text.indexOf("\n", end)
    end = next < 0 ? text.length : next + 1
  }
  return end
}

/** The part that differs, with the lines around it; `skipped` is the number of lines before it. */
const changedPart = (before: string, after: string) => {
  const most = Math.min(before.length, after.length)
  let head = 0
  while (head < most && before.charCodeAt(head) === after.charCodeAt(head)) head++
  let tail = 0
  while (
    tail < most - head &&
    before.charCodeAt(before.length - 1 - tail) === after.charCodeAt(after.length - 1 - tail)
  ) {
    tail++
  }
  const from = back(before, head, around)
  const same = before.length - ahead(before, before.length - tail, around)
  let skipped = 0
  for (let at = before.indexOf("\n"); at >= 0 && at < from; at = before.indexOf("\n", at + 1)) skipped++
  return { old: before.slice(from, before.length - same), fresh: after.slice(from, after.length - same), skipped }
}

/** Larger changes are not taken apart into lines, in UTF-16 units: nobody is shown so much of them. */
const maxPart = 2 * 1024 * 1024

/** Empty if nothing changed. At most about `maxBytes` bytes; what is left out is said. */
export const unified = (before: string, after: string, maxBytes: number): string => {
  if (before === after) return ""
  const part = changedPart(before, after)
  if (part.old.length + part.fresh.length > maxPart) {
    return `[The change is too large to show: ${part.fresh.length} characters in place of ${part.old.length}.]\n`
  }
  const lines = compare(part.old, part.fresh)
  const out: Array<string> = []
  let bytes = 0
  let [old, fresh, done] = [part.skipped, part.skipped, 0]
  for (const { from, to } of hunksOf(lines)) {
    const skipped = lines.slice(done, from)
    old += countWithout(skipped, "+")
    fresh += countWithout(skipped, "-")
    const hunk = lines.slice(from, to)
    const [removed, added] = [countWithout(hunk, "+"), countWithout(hunk, "-")]
    const text = [`@@ -${span(old, removed)} +${span(fresh, added)} @@\n`, ...hunk.map(render)]
    for (const [index, line] of text.entries()) {
      bytes += Text.encode(line).length
      if (bytes <= maxBytes) {
        out.push(line)
        continue
      }
      const left = lines.slice(from + Math.max(0, index - 1)).filter(({ side }) => side !== " ").length
      return `${out.join("")}[... ${left} more changed lines left out]\n`
    }
    old += removed
    fresh += added
    done = to
  }
  return out.join("")
}
