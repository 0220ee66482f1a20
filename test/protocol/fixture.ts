/** The example lines of the wire format, one JSON object per line. */
import { readFileSync } from "node:fs"

export const fixture = (name: string): ReadonlyArray<string> =>
  readFileSync(new URL(`./fixtures/${name}.jsonl`, import.meta.url), "utf8")
    .trimEnd()
    .split("\n")
