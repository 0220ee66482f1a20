/** A manifest with a scripted model, in a directory, for tests that start the program. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

type Step = Readonly<Record<string, unknown>>

/** Writes `pod.toml` and its script there; one array of steps is one model call. Returns the manifest's path. */
export const scriptedManifest = (
  directory: string,
  calls: ReadonlyArray<ReadonlyArray<Step>>,
  more = "",
  name = "scripted"
): string => {
  writeFileSync(join(directory, `${name}.jsonl`), calls.map((steps) => `${JSON.stringify({ steps })}\n`).join(""))
  const path = join(directory, `${name}.toml`)
  writeFileSync(
    path,
    [
      `[pod]`,
      `name = "${name}"`,
      `[model]`,
      `scheme = "scripted"`,
      `script = "${name}.jsonl"`,
      `[[scope.allow]]`,
      `target = "."`,
      `permission = "write"`,
      more,
      ""
    ].join("\n")
  )
  return path
}
