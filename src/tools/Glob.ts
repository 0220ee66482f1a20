/** `Glob`: files by the pattern of their path, the newest first. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Lexical from "../scope/Lexical.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import * as Text from "../scope/Text.ts"
import { invalid } from "./Failure.ts"
import type { Search } from "./Search.ts"
import * as SearchBase from "./SearchBase.ts"
import * as Tool from "./Tool.ts"

const maxFiles = 1000

const Parameters = Schema.Struct({
  pattern: Schema.String.annotate({
    description:
      "Pattern of the path relative to the directory: * and ? match within one name, ** any number of " +
      "directories, also [abc], [!abc] and {a,b}. `*.ts` finds files directly in it, `**/*.ts` also those below."
  }),
  path: Schema.optionalKey(
    Schema.String.annotate({
      description: "Absolute path of the directory to search; the working directory by default."
    })
  )
})

const description =
  "Finds files by name. Returns absolute paths, one per line, the most recently changed first, at " +
  `most ${maxFiles}. Hidden and ignored files are found too; links are not followed and not listed.`

/** Relative to the base and anchored there; a leading slash is what ties a pattern to the base in ripgrep. */
const anchored = (pattern: string, base: SearchBase.Base): string | undefined => {
  if (!Lexical.isAbsolute(pattern)) return `/${pattern.replace(/^(\.\/)+/, "")}`
  for (const directory of [Lexical.normalize(base.shown), base.real]) {
    if (directory !== "/" && pattern.startsWith(`${directory}/`)) return pattern.slice(directory.length)
  }
  return base.real === "/" ? pattern : undefined
}

export const make = (options: {
  readonly fs: ScopedFsShape
  readonly search: Search
  readonly contentBytes: number
}): Tool.Tool =>
  Tool.make({
    name: "Glob",
    description,
    parameters: Parameters,
    idempotent: true,
    run: Effect.fn("Tool.Glob")(function* ({ path, pattern }) {
      if (pattern === "") return yield* invalid("The pattern is empty: `**` finds every file.")
      const base = yield* SearchBase.open(options.fs, path)
      const glob = anchored(pattern, base)
      if (glob === undefined) {
        return yield* invalid(
          `The pattern ${pattern} does not lie below ${base.shown}. Give the directory as \`path\` and a pattern relative to it.`
        )
      }
      const found: Array<string> = []
      let total = 0
      let bytes = 0
      const end = yield* options.search({
        directory: base.here,
        args: [
          "--files",
          "--null",
          "--hidden",
          "--no-ignore",
          "--sortr=modified",
          `--glob=${glob}`,
          ...base.args,
          "--",
          "./"
        ],
        separator: 0,
        onRecord: (record, isWhole) => {
          const file = isWhole ? base.permitted(record) : undefined
          if (file === undefined) return
          total++
          // Once one path had no room, none is taken: what is listed are the newest, without a gap.
          if (found.length !== total - 1 || found.length === maxFiles) return
          const size = Text.encode(file).length + 1
          if (bytes + size > options.contentBytes) return
          bytes += size
          found.push(file)
        }
      })
      const isCut = found.length < total
      const files = SearchBase.counted(total, "file", end)
      const summary = [
        total === 0
          ? `No file matches ${pattern} in ${base.shown}.`
          : `Found ${files} matching ${pattern} in ${base.shown}${
              isCut ? `; the newest ${found.length} are listed, narrow the pattern to see others` : ""
            }.`,
        ...SearchBase.caveats(end)
      ].join(" ")
      return {
        summary,
        ...(found.length === 0 ? {} : { content: found.join("\n") }),
        ...(isCut || end.stopped !== "end" ? { truncated: true } : {})
      }
    }, Effect.scoped)
  })
