/**
 * What is denied, known by what it is and not only by what it is called: device and inode.
 *
 * One thing may have many names: hard links, a directory that is mounted twice, names that a file system takes for the
 * same in upper and lower case or in another form of Unicode. Looked at only where something is denied.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { ScopeRule } from "../protocol/ScopeRule.ts"
import * as Lexical from "./Lexical.ts"
import type { Opened } from "./Opener.ts"
import { matches } from "./Scope.ts"

/** A deny rule and the thing that its target is now. */
export interface Denied {
  readonly rule: ScopeRule
  readonly isDirectory: boolean
  readonly dev: bigint
  readonly ino: bigint
}

const look = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, path: string) {
  const info = yield* Effect.option(fs.stat(path))
  if (info._tag === "None" || info.value.ino._tag === "None") return undefined
  const { dev, ino, nlink, type } = info.value
  return { isDirectory: type === "Directory", dev, ino: ino.value, links: Option.getOrElse(nlink, () => 1n) }
})

/** Of rules whose targets are real paths: those whose target exists. */
export const identify = (
  fs: FileSystem.FileSystem,
  rules: ReadonlyArray<ScopeRule>
): Effect.Effect<ReadonlyArray<Denied>> =>
  Effect.forEach(rules, (rule) =>
    Effect.map(look(fs, rule.target), (found) => (found === undefined ? undefined : { rule, ...found }))
  ).pipe(Effect.map((all) => all.filter((one) => one !== undefined)))

/** The deny rules once more, under the names by which a real path passes what they deny. */
export const aliases = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  denied: ReadonlyArray<Denied>,
  real: string
) {
  const rules: Array<ScopeRule> = []
  for (let path = real; path !== ""; path = Lexical.parent(path))
    rules.push(...under(denied, path, yield* look(fs, path)))
  return rules
})

const under = (
  denied: ReadonlyArray<Denied>,
  path: string,
  found: { readonly dev: bigint; readonly ino: bigint } | undefined
): ReadonlyArray<ScopeRule> =>
  denied
    .filter(({ dev, ino, rule }) => dev === found?.dev && ino === found.ino && rule.target !== path)
    .map(({ rule }) => ({ ...rule, target: path }))

/** Entries that are looked at to find other names of files. */
const maxEntries = 10_000

/**
 * The files with several names in directories that are denied reading, as far as `isWanted`; undefined where the
 * directories are too large to be looked through.
 */
const manyNamed = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  denied: ReadonlyArray<Denied>,
  isWanted: (directory: Denied) => boolean
) {
  const files = new Set<string>()
  let entries = 0
  for (const one of denied) {
    const { isDirectory, rule } = one
    if (rule.permission !== "read" || !isDirectory || !isWanted(one)) continue
    const waiting = [rule.target]
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      for (const { name, type } of yield* Effect.orElseSucceed(fs.readDirectoryEntries(directory), () => [])) {
        if (++entries > maxEntries) return undefined
        const path = Lexical.join(directory, name)
        if (!matches(rule, path)) continue
        if (type === "Directory") waiting.push(path)
        if (type !== "File") continue
        const found = yield* look(fs, path)
        if (found !== undefined && found.links > 1n) files.add(identity(found))
      }
    }
  }
  return files
})

const identity = ({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string => `${dev}:${ino}`

/**
 * The open file, which has several names, has one in a directory that is denied reading. Directories too large to be
 * looked through count as if it had.
 */
export const hasDeniedName = (
  fs: FileSystem.FileSystem,
  denied: ReadonlyArray<Denied>,
  file: Pick<Opened, "dev" | "ino">
): Effect.Effect<boolean> =>
  Effect.map(
    manyNamed(fs, denied, ({ dev }) => dev === file.dev),
    (files) => files?.has(identity(file)) ?? true
  )

/**
 * For one walk below a real directory that was itself checked: asks of each real path whether it may be shown in spite
 * of the names that denied things have. What cannot be looked at may not.
 */
export const makeWalk = (
  fs: FileSystem.FileSystem,
  denied: ReadonlyArray<Denied>,
  root: string,
  isReadable: (path: string, aliases: ReadonlyArray<ScopeRule>) => boolean
) => {
  const directories = new Map<string, ReadonlyArray<ScopeRule> | undefined>([[root, []]])
  /** By device: a file has all its names on one. */
  const files = new Map<bigint, ReadonlySet<string> | undefined>()

  /** Undefined if it cannot be looked at. */
  const rulesAt = (directory: string): Effect.Effect<ReadonlyArray<ScopeRule> | undefined> =>
    Effect.gen(function* () {
      if (directories.has(directory)) return directories.get(directory)
      const above = yield* rulesAt(Lexical.parent(directory))
      const found = yield* look(fs, directory)
      const rules = above && found && [...above, ...under(denied, directory, found)]
      directories.set(directory, rules)
      return rules
    })

  return {
    /** Its directories only: its name may be shown. */
    name: Effect.fnUntraced(function* (path: string) {
      const rules = yield* rulesAt(Lexical.parent(path))
      return rules !== undefined && isReadable(path, rules)
    }),
    content: Effect.fnUntraced(function* (path: string) {
      const rules = yield* rulesAt(Lexical.parent(path))
      const file = yield* look(fs, path)
      if (rules === undefined || file === undefined) return false
      if (!isReadable(path, [...rules, ...under(denied, path, file)])) return false
      if (file.links <= 1n) return true
      if (!files.has(file.dev)) files.set(file.dev, yield* manyNamed(fs, denied, ({ dev }) => dev === file.dev))
      return files.get(file.dev)?.has(identity(file)) === false
    })
  }
}
