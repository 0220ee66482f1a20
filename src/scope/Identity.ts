/**
 * What is denied, known by what it is and not only by what it is called: device and inode.
 *
 * One thing may have many names: hard links, a directory that is mounted twice, names that a file system takes for the
 * same in upper and lower case or in another form of Unicode. Looked at only where something is denied.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
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
  return { isDirectory: info.value.type === "Directory", dev: info.value.dev, ino: info.value.ino.value }
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
  for (let path = real; path !== ""; path = Lexical.parent(path)) {
    const found = yield* look(fs, path)
    if (found === undefined) continue
    for (const { dev, ino, rule } of denied) {
      if (dev === found.dev && ino === found.ino && rule.target !== path) rules.push({ ...rule, target: path })
    }
  }
  return rules
})

/** Entries that are looked at to find another name of one file. */
const maxEntries = 10_000

/**
 * The open file, which has several names, has one in a directory that is denied reading. Directories too large to be
 * looked through count as if it had.
 */
export const hasDeniedName = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  denied: ReadonlyArray<Denied>,
  file: Opened
) {
  let entries = 0
  for (const { dev, isDirectory, rule } of denied) {
    if (rule.permission !== "read" || !isDirectory || dev !== file.dev) continue
    const waiting = [rule.target]
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      for (const { name, type } of yield* Effect.orElseSucceed(fs.readDirectoryEntries(directory), () => [])) {
        if (++entries > maxEntries) return true
        const path = Lexical.join(directory, name)
        if (!matches(rule, path)) continue
        if (type === "Directory") waiting.push(path)
        if (type !== "File") continue
        const found = yield* look(fs, path)
        if (found?.ino === file.ino && found.dev === file.dev) return true
      }
    }
  }
  return false
})
