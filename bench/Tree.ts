/**
 * Searches over a large tree, beside bare ripgrep with the same arguments; a window in the middle of a large file,
 * beside `sed`. What is bare prints what it finds into a pipe that is read to its end.
 */
import { spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { rgPath } from "@vscode/ripgrep"
import * as Children from "./Children.ts"
import { now } from "./Clock.ts"
import * as Measure from "./Measure.ts"
import { type Key, median, type Values } from "./Rows.ts"

const directories = 500
const filesEach = 100
/** One file in so many has what is searched for. */
const oneIn = 250

const line = "0123456789 abcdefghij 0123456789 abcdefghij 0123456789 abcdefghij\n"
const largeBytes = 100_000_000
const window = { offset: Math.floor(largeBytes / line.length / 2), limit: 100 }

const tree = (bench: Measure.Bench) => join(bench.place.cwd, "tree")
const large = (bench: Measure.Bench) => join(bench.place.cwd, "large.txt")

/** Makes the tree and the file. Measures nothing. */
export const give = async (bench: Measure.Bench): Promise<Values> => {
  for (let directory = 0; directory < directories; directory++) {
    const path = join(tree(bench), `part-${directory % 20}`, `directory-${directory}`)
    mkdirSync(path, { recursive: true })
    for (let file = 0; file < filesEach; file++) {
      const needle = (directory * filesEach + file) % oneIn === 0 ? "here is the needle\n" : ""
      writeFileSync(join(path, `file-${file}.${file % 2 === 0 ? "ts" : "txt"}`), line.repeat(10) + needle)
    }
  }
  const file = openSync(large(bench), "w")
  const piece = line.repeat(10_000)
  for (let bytes = 0; bytes < largeBytes; bytes += piece.length) writeSync(file, piece)
  closeSync(file)
  return {}
}

const bare = (command: string, args: ReadonlyArray<string>, cwd: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const startedAt = now()
    const child = Children.own(spawn(command, [...args], { cwd, stdio: ["ignore", "pipe", "ignore"] }))
    child.once("error", reject)
    child.stdout?.resume()
    child.once("close", () => resolve(now() - startedAt))
  })

const repeats = 5

export const search = (bench: Measure.Bench): Promise<{ readonly floor: Values; readonly pod: Values }> =>
  Measure.withStarted(bench, (started) =>
    Measure.withClient(started, async (client) => {
      const [cwd, file] = [tree(bench), large(bench)]
      const from = window.offset + 1
      const sed = `${from},${from + window.limit - 1}p;${from + window.limit - 1}q`
      const rows: ReadonlyArray<readonly [Key, string, object, () => Promise<number>]> = [
        [
          "grep-tree",
          "Grep",
          { path: cwd, pattern: "the needle" },
          () => bare(rgPath, ["--no-config", "--sort=path", "-l", "the needle", "./"], cwd)
        ],
        [
          "glob-tree",
          "Glob",
          { path: cwd, pattern: "**/*7.txt" },
          () => bare(rgPath, ["--no-config", "--files", "-uu", "--sortr=modified", "--glob=/**/*7.txt", "./"], cwd)
        ],
        ["read-window", "Read", { file_path: file, ...window }, () => bare("sed", ["-n", sed, file], cwd)]
      ]
      const floor: { [K in Key]?: number } = {}
      const pod: { [K in Key]?: number } = {}
      for (const [key, tool, args, alone] of rows) {
        pod[key] = await Measure.toolCalls(bench, client, tool, args)
        const took: Array<number> = []
        for (let index = 0; index < repeats; index++) took.push(await alone())
        floor[key] = median(took)
      }
      return { floor, pod }
    })
  )
