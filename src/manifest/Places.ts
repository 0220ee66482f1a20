/** Problems of a manifest that was read from a text, each with the line of its key. */
import type { ManifestProblem } from "./ManifestError.ts"
import { oldSpelling } from "./Normalise.ts"
import { type TextPosition, tomlPositions } from "./TomlPositions.ts"

/** In the order of the text, which the TOML parser has accepted. */
export const withPlaces = (text: string, problems: ReadonlyArray<ManifestProblem>): ReadonlyArray<ManifestProblem> => {
  const positions = tomlPositions(text)
  return problems
    .map((problem): ManifestProblem => Object.assign({}, problem, locate(positions, problem.key)))
    .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
}

/** Where a key stands, or the nearest table around it that does. */
const locate = (positions: ReadonlyMap<string, TextPosition>, key: string): Partial<TextPosition> => {
  const found = positions.get(key) ?? positions.get(oldSpelling(key) ?? "")
  if (found !== undefined) return found
  const outer = key.replace(/(?:\[\d+\]|\.?(?:"(?:[^"\\]|\\.)*"|[A-Za-z0-9_-]+))$/, "")
  return outer === key || outer === "" ? {} : locate(positions, outer)
}
