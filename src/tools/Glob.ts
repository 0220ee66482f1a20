/** `Glob`: files by the pattern of their path, the newest first. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as Lexical from "../scope/Lexical.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import * as Text from "../scope/Text.ts"
import { invalid } from "./Failure.ts"
import type { IgnoreFiles } from "./IgnoreFiles.ts"
import { pageAt, sentence } from "./Paging.ts"
import type { Search } from "./Search.ts"
import * as SearchBase from "./SearchBase.ts"
import * as SearchPage from "./SearchPage.ts"
import * as Tool from "./Tool.ts"

const maxFiles = 1000

const count = (description: string) =>
  Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description }))

const flag = (description: string) => Schema.optionalKey(Schema.Boolean.annotate({ description }))

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
  ),
  type: Schema.optionalKey(
    Schema.String.annotate({ description: "Only files of a type that ripgrep knows, such as js, py, rust." })
  ),
  hidden: flag("Find hidden files too, on by default."),
  ignored: flag("Find files too that .gitignore leaves out, on by default."),
  head_limit: count(`Files to list at most, ${maxFiles} by default and at most.`),
  offset: count("Files to skip, 0 by default.")
})

const description =
  "Finds files by name. Returns absolute paths, one per line, the most recently changed first, at " +
  `most ${maxFiles}; the summary has the total and the offset of the next ones. Links are not followed and not listed.`

/** Relative to the base and anchored there; a leading slash is what ties a pattern to the base in ripgrep. */
const anchored = (pattern: string, base: SearchBase.Base): string | undefined => {
  if (!Lexical.isAbsolute(pattern)) return `/${pattern.replace(/^(\.\/)+/, "")}`
  for (const directory of [Lexical.normalize(base.shown), base.place.real]) {
    if (directory !== "/" && pattern.startsWith(`${directory}/`)) return pattern.slice(directory.length)
  }
  return base.place.real === "/" ? pattern : undefined
}

const listing = ["--files", "--null"]

/** Names are kept until the second search; more would not fit into memory well. */
const maxLeftBytes = 64 * 1024 * 1024

/** Names of all files that ripgrep finds with these filters. */
const leftIn = (
  search: Search,
  base: SearchBase.Base,
  filters: ReadonlyArray<string>,
  ignoreFiles: IgnoreFiles | undefined
) =>
  SearchBase.following(
    ignoreFiles,
    Effect.fnUntraced(function* (followed) {
      const names = new Set<string>()
      const end = yield* search({
        place: base.place,
        args: [...listing, ...filters, ...base.args, "--", "./"],
        ignoreFiles: followed,
        separator: 0,
        maxBytes: maxLeftBytes,
        onRecord: (record) => names.add(Text.decodeLossy(record))
      })
      return { names, end }
    })
  )

export const make = (options: {
  readonly fs: ScopedFsShape
  readonly files: FileSystem.FileSystem
  readonly search: Search
  readonly contentBytes: number
}): Tool.Tool =>
  Tool.make({
    name: "Glob",
    description,
    parameters: Parameters,
    idempotent: true,
    run: Effect.fn("Tool.Glob")(function* ({ head_limit, hidden, ignored, offset = 0, path, pattern, type }) {
      if (pattern === "") return yield* invalid("The pattern is empty: `**` finds every file.")
      const base = yield* SearchBase.open(options.fs, options.files, path)
      const glob = anchored(pattern, base)
      if (glob === undefined) {
        return yield* invalid(
          `The pattern ${pattern} does not lie below ${base.shown}. Give the directory as \`path\` and a pattern relative to it.`
        )
      }
      const limit = Math.max(1, Math.min(head_limit ?? maxFiles, maxFiles))
      const page = SearchPage.make({ offset, limit, maxBytes: options.contentBytes })
      // A pattern in ripgrep's arguments beats all that leaves files out, so what is left in is asked for by itself.
      const filters = [...(hidden === false ? [] : ["--hidden"]), ...(type === undefined ? [] : [`--type=${type}`])]
      const isFiltered = hidden === false || ignored === false || type !== undefined
      const ignoreFiles = ignored === false ? base.ignoreFiles : undefined
      const left = isFiltered ? yield* leftIn(options.search, base, filters, ignoreFiles) : undefined
      const found = yield* options.search({
        place: base.place,
        ignoreFiles: undefined,
        args: [...listing, "--hidden", "--sortr=modified", `--glob=${glob}`, ...base.args, "--", "./"],
        separator: 0,
        before: (record) => base.look(record, "name"),
        onRecord: (record, isWhole) => {
          if (left?.names.has(Text.decodeLossy(record)) === false) return
          const file = isWhole ? base.permitted(record) : undefined
          if (file !== undefined && page.admit(Text.encode(file).length + 1)) page.add(file)
        }
      })
      const end = left === undefined ? found : SearchBase.both(left.end, found)
      const total = page.total()
      const paging = pageAt(offset, page.returned(), total, end.stopped === "end")
      const summary = [
        total === 0
          ? `No file matches ${pattern} in ${base.shown}.`
          : `Found ${SearchBase.counted(total, "file", end)} matching ${pattern} in ${base.shown}.`,
        sentence(paging, "files"),
        ...SearchBase.caveats(end)
      ].join(" ")
      return {
        summary,
        ...(page.returned() === 0 ? {} : { content: page.content() }),
        ...(paging.next === undefined && end.stopped === "end" ? {} : { truncated: true })
      }
    }, Effect.scoped)
  })
