/**
 * The manifest: everything that is decided about a pod before it starts.
 *
 * It comes from a TOML file, from a parent, or from a program, and is decoded once and strictly: an unknown key is an
 * error, because a mistyped limit is no limit. What comes out has every default in place and every path absolute.
 * Which tables have no effect in this version is said by `NotYet.ts`.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { defaulted, optional, required } from "./Fields.ts"
import { formatKeyPath } from "./KeyPath.ts"
import { ManifestError, type ManifestProblem } from "./ManifestError.ts"
import { normalise } from "./Normalise.ts"
import { rebase } from "./Paths.ts"
import { problemsOf } from "./Problems.ts"
import { BudgetTable } from "./tables/Budget.ts"
import { CompactionTable } from "./tables/Compaction.ts"
import { HooksTable } from "./tables/Hooks.ts"
import { MemoryTable } from "./tables/Memory.ts"
import { ModelTable } from "./tables/Model.ts"
import { PermissionsTable } from "./tables/Permissions.ts"
import { PodTable } from "./tables/Pod.ts"
import { SandboxTable } from "./tables/Sandbox.ts"
import { ScopeTable } from "./tables/Scope.ts"
import { SessionTable } from "./tables/Session.ts"
import { SkillsTable } from "./tables/Skills.ts"
import { SpawnTable } from "./tables/Spawn.ts"
import { WebTable } from "./tables/Web.ts"
import { WorkerTable } from "./tables/Worker.ts"

export const Manifest = Schema.Struct({
  pod: required(PodTable, "Who the pod is."),
  model: defaulted(ModelTable, {}, "Which model it speaks to. Left out: chosen from the environment."),
  worker: defaulted(WorkerTable, {}, "How the agent is instructed, sampled and bounded."),
  scope: required(ScopeTable, "The files that it may read and write."),
  budget: optional(BudgetTable, "What runs and the session may spend. Absent: as much as they need."),
  session: defaulted(SessionTable, {}, "What the journal promises."),
  sandbox: defaulted(SandboxTable, {}, "Whether commands are fenced."),
  permissions: optional(PermissionsTable, "Which tool calls run. Absent: all that the scope allows."),
  hooks: optional(HooksTable, "Commands that are asked at six points of a run. Absent: none."),
  spawn: defaulted(SpawnTable, {}, "The pods that it may raise."),
  compaction: optional(CompactionTable, "Shrinking a conversation that grows too long. Absent: off."),
  web: optional(WebTable, "Searching and reading the web. Absent: off."),
  memory: optional(MemoryTable, "What it remembers over sessions. Absent: off."),
  skills: optional(SkillsTable, "Directories of skills. Absent: none.")
})

/** What the pod uses: every default in place, every path absolute, durations as `Duration`. */
export type Manifest = typeof Manifest.Type

/** What one may write: only `pod.name` and `scope.allow` are needed. */
export type ManifestInput = typeof Manifest.Encoded

const decode = Schema.decodeUnknownResult(Manifest)
const encode = Schema.encodeSync(Manifest)
const encoded = SchemaAST.toEncoded(Manifest.ast)

export interface MakeOptions {
  /** Absolute directory that relative paths start from. Without it every path must be absolute. */
  readonly baseDir?: string
  /** What error messages call the manifest: its file. */
  readonly subject?: string
}

/**
 * A manifest from values: from a program, from JSON, or from a merge of both. Null and undefined count as absent.
 * Fails with every problem found.
 */
export const make = (input: ManifestInput, options?: MakeOptions): Effect.Effect<Manifest, ManifestError> =>
  Effect.suspend(() => {
    const result = check(input, options?.baseDir)
    return result._tag === "Success"
      ? Effect.succeed(result.success)
      : Effect.fail(new ManifestError({ subject: options?.subject ?? "manifest", problems: result.failure }))
  })

/** As `make`, for what has no type yet. */
export const fromUnknown = (input: unknown, options?: MakeOptions): Effect.Effect<Manifest, ManifestError> =>
  // `make` decodes every key of it; nothing relies on the type.
  make(input as ManifestInput, options)

/** The manifest as one would write it, defaults spelled out. `make` gives the same manifest back. */
export const toInput = (manifest: Manifest): ManifestInput => encode(manifest)

/** Decodes plain data and leaves the places to the caller. */
export const check = (
  input: unknown,
  baseDir: string | undefined
): Result.Result<Manifest, ReadonlyArray<ManifestProblem>> => {
  const normal = normalise(input)
  const paths = rebase(normal.value, baseDir)
  const decoded = decode(paths.value, { errors: "all", onExcessProperty: "error" })
  const problems = [
    ...normal.problems,
    ...(decoded._tag === "Failure" ? problemsOf(decoded.failure.issue, encoded, paths.value) : []),
    ...(decoded._tag === "Success" ? repeatedHooks(decoded.success) : []),
    ...paths.problems
  ]
  const repeated = new Set<string>()
  const distinct = problems.filter(({ key }) => !repeated.has(key) && repeated.add(key))
  if (decoded._tag === "Success" && distinct.length === 0) return Result.succeed(decoded.success)
  return Result.fail(distinct)
}

/** Records and alerts name a hook. Two of one name could not be told apart. */
const repeatedHooks = ({ hooks }: Manifest): ReadonlyArray<ManifestProblem> => {
  const names = (hooks?.command ?? []).map(({ name }) => name)
  return names.flatMap((name, index) => {
    const first = names.indexOf(name)
    if (first === index) return []
    const key = formatKeyPath(["hooks", "command", index, "name"])
    const other = formatKeyPath(["hooks", "command", first])
    return [{ key, message: `\`${key}\`: \`${other}\` has this name too`, hint: "give each a name of its own" }]
  })
}
