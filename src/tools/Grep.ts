/**
 * `Grep`: a regular expression over the files of a directory.
 *
 * Results are sorted by path, so that paging is stable. The whole directory is searched even when the page is full: the
 * totals are what there is, and whether there is more is exact.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import * as Text from "../scope/Text.ts"
import * as GrepCounts from "./GrepCounts.ts"
import * as GrepLines from "./GrepLines.ts"
import * as SearchPage from "./SearchPage.ts"
import type { IgnoreFiles } from "./IgnoreFiles.ts"
import { pageAt, sentence } from "./Paging.ts"
import type { Search, SearchEnd } from "./Search.ts"
import * as SearchBase from "./SearchBase.ts"
import * as Tool from "./Tool.ts"

const defaultLimit = 250
const maxContext = 1000

/** ripgrep holds a file whole to find matches over several lines. */
const maxMultilineBytes = 256 * 1024 * 1024

const count = (description: string) =>
  Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description }))

const flag = (description: string) => Schema.optionalKey(Schema.Boolean.annotate({ description }))

const Parameters = Schema.Struct({
  pattern: Schema.String.annotate({
    description: "Regular expression as ripgrep has it (no look-around, no back-references)."
  }),
  path: Schema.optionalKey(
    Schema.String.annotate({
      description: "Absolute path of the directory to search; the working directory by default."
    })
  ),
  glob: Schema.optionalKey(
    Schema.String.annotate({
      description: "Only files that this pattern matches, as in .gitignore; `!` in front excludes."
    })
  ),
  type: Schema.optionalKey(
    Schema.String.annotate({ description: "Only files of a type that ripgrep knows, such as js, py, rust." })
  ),
  output_mode: Schema.optionalKey(
    Schema.Literals(["files_with_matches", "content", "count"]).annotate({
      description: "files_with_matches (default): paths. content: matching lines. count: matching lines per file."
    })
  ),
  hidden: flag("Search hidden files and directories too; off by default."),
  ignored: flag("Search files too that .gitignore leaves out; off by default."),
  "-n": flag("Line numbers in content, on by default."),
  "-i": flag("Ignore case."),
  "-A": count("Lines to show after each match, in content."),
  "-B": count("Lines to show before each match, in content."),
  "-C": count("Lines to show before and after each match; overrides -A and -B."),
  multiline: flag(
    `Let a match span lines, and \`.\` match line ends. Files over ${maxMultilineBytes} bytes are left out then.`
  ),
  head_limit: count(`Results to return at most, ${defaultLimit} by default: files, or matches in content.`),
  offset: count("Results to skip, 0 by default.")
})
type Arguments = typeof Parameters.Type

const description =
  "Searches file contents. Hidden and git-ignored files are left out unless asked for; links are not followed. A file " +
  "with a NUL byte in its first 64 KiB is binary and left out; any other is searched up to the block of 64 KiB with its " +
  "first NUL. Results are sorted by path; the summary has the totals and the offset of the next results."

const argumentsOf = (args: Arguments): ReadonlyArray<string> => [
  "--sort=path",
  ...(args.hidden === true ? ["--hidden"] : []),
  ...(args["-i"] === true ? ["--ignore-case"] : []),
  ...(args.multiline === true ? ["--multiline", "--multiline-dotall", `--max-filesize=${maxMultilineBytes}`] : []),
  ...(args.glob === undefined ? [] : [`--glob=${args.glob}`]),
  ...(args.type === undefined ? [] : [`--type=${args.type}`])
]

interface Found {
  readonly page: SearchPage.Page
  readonly files: number
  readonly matches: number
  readonly end: SearchEnd
}

interface Run {
  readonly args: Arguments
  readonly base: SearchBase.Base
  readonly page: SearchPage.Page
  readonly ignoreFiles: IgnoreFiles | undefined
}

/** The first record is a path alone; a path that begins with such a number would have "./" in front. */
const pathIn = (record: Uint8Array): Uint8Array => {
  const number = /^\d+\n/.exec(Text.decodeLossy(record.subarray(0, 32)))
  return record.subarray(number?.[0].length ?? 0)
}

const summarize = (args: Arguments, base: SearchBase.Base, offset: number, found: Found): string => {
  const { end, page } = found
  const total = page.total()
  const files = SearchBase.counted(found.files, "file", end)
  const matches = SearchBase.counted(found.matches, "match", end)
  const what = args.output_mode === "content" || args.output_mode === "count" ? `${matches} in ${files}` : files
  const unit = args.output_mode === "content" ? "matches" : "files"
  return [
    total === 0
      ? `No match for ${args.pattern} in ${base.shown}.`
      : `Found ${what} for ${args.pattern} in ${base.shown}.`,
    ...(total > 0 && page.returned() === 0 ? [`Nothing at offset ${offset}.`] : []),
    sentence(pageAt(offset, page.returned(), total, end.stopped === "end"), unit),
    ...SearchBase.caveats(end)
  ].join(" ")
}

export const make = (options: {
  readonly fs: ScopedFsShape
  readonly files: FileSystem.FileSystem
  readonly search: Search
  readonly contentBytes: number
}): Tool.Tool => {
  const inFiles = Effect.fnUntraced(function* ({
    args,
    base,
    ignoreFiles,
    page
  }: Run): Effect.fn.Return<Found, Tool.ToolError> {
    const end = yield* options.search({
      place: base.place,
      // `path` NUL `count` LF, over and over: cut at NUL, each record but the first begins with the count before it.
      args: [
        "--count",
        "--max-count=1",
        "--null",
        "--with-filename",
        ...argumentsOf(args),
        ...base.args,
        "--",
        args.pattern,
        "./"
      ],
      ignoreFiles,
      separator: 0,
      before: (record, isWhole) => (isWhole ? base.look(pathIn(record), "content") : undefined),
      onRecord: (record, isWhole) => {
        const path = pathIn(record)
        const file = isWhole && path.length > 0 ? base.permitted(path) : undefined
        if (file !== undefined && page.admit(Text.encode(file).length)) page.add(file)
      }
    })
    return { page, files: page.total(), matches: 0, end }
  })

  const inCounts = Effect.fnUntraced(function* ({
    args,
    base,
    ignoreFiles,
    page
  }: Run): Effect.fn.Return<Found, Tool.ToolError> {
    const counts = GrepCounts.make({ base, page })
    const end = yield* options.search({
      place: base.place,
      args: ["--json", ...argumentsOf(args), ...base.args, "--", args.pattern, "./"],
      ignoreFiles,
      separator: 10,
      maxBytes: Infinity,
      before: counts.before,
      onRecord: counts.onRecord
    })
    return { page, files: page.total(), matches: counts.matches(), end }
  })

  const inLines = Effect.fnUntraced(function* ({
    args,
    base,
    ignoreFiles,
    page
  }: Run): Effect.fn.Return<Found, Tool.ToolError> {
    const after = Math.min(args["-C"] ?? args["-A"] ?? 0, maxContext)
    const before = Math.min(args["-C"] ?? args["-B"] ?? 0, maxContext)
    const lines = GrepLines.make({ base, page, hasNumbers: args["-n"] ?? true, before, after })
    const context = [`--after-context=${after}`, `--before-context=${before}`]
    const end = yield* options.search({
      place: base.place,
      args: ["--json", ...context, ...argumentsOf(args), ...base.args, "--", args.pattern, "./"],
      ignoreFiles,
      separator: 10,
      before: lines.before,
      onRecord: lines.onRecord
    })
    return { page, files: lines.files(), matches: page.total(), end }
  })

  const runs = { files_with_matches: inFiles, count: inCounts, content: inLines }

  return Tool.make({
    name: "Grep",
    description,
    parameters: Parameters,
    idempotent: true,
    run: Effect.fn("Tool.Grep")(function* (args) {
      const base = yield* SearchBase.open(options.fs, options.files, args.path)
      const offset = args.offset ?? 0
      const limit = Math.max(1, args.head_limit ?? defaultLimit)
      const ignoreFiles = args.ignored === true ? undefined : base.ignoreFiles
      const found = yield* SearchBase.following(ignoreFiles, (followed) =>
        runs[args.output_mode ?? "files_with_matches"]({
          args,
          base,
          page: SearchPage.make({ offset, limit, maxBytes: options.contentBytes }),
          ignoreFiles: followed
        })
      )
      const { page } = found
      const hasMore = offset + page.returned() < page.total() || found.end.stopped !== "end"
      return {
        summary: summarize(args, base, offset, found),
        ...(page.returned() === 0 ? {} : { content: page.content() }),
        ...(hasMore ? { truncated: true } : {})
      }
    }, Effect.scoped)
  })
}
