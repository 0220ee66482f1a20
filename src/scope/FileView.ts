/**
 * Files as an input refers to them: the text that stands for `@path`, and what may follow in a path being typed.
 *
 * Both go through the pod's scope. A relative path is taken from the pod's working directory. The text of an
 * attachment becomes part of the conversation as it is made here and is never rendered again.
 */
import * as Effect from "effect/Effect"
import type { Completion } from "../protocol/Event.ts"
import * as Lexical from "./Lexical.ts"
import type { OpenFile } from "./ReadFile.ts"
import { failed } from "./ReadFile.ts"
import { type Entry, ScopedFs } from "./ScopedFs.ts"
import { scopeError, type ScopeError } from "./ScopeError.ts"
import * as Text from "./Text.ts"

const maxEntries = 100

const absolute = (cwd: string, path: string): string => (Lexical.isAbsolute(path) ? path : `${cwd}/${path}`)

/** Reads until `buffer` is full or the file ends. */
const fill = Effect.fnUntraced(function* (path: string, open: OpenFile, buffer: Uint8Array) {
  let length = 0
  while (length < buffer.length) {
    const read = yield* Effect.mapError(open.read(buffer.subarray(length)), failed(path, "read"))
    if (read === 0) break
    length += read
  }
  return buffer.subarray(0, length)
})

const fileBody = Effect.fnUntraced(function* (path: string, open: OpenFile, maxBytes: number) {
  const bytes = yield* fill(path, open, new Uint8Array(Math.min(maxBytes, Math.max(open.size, 65_536)) + 1))
  const isCut = bytes.length > maxBytes
  const kept = isCut ? bytes.subarray(0, Text.boundaryBefore(bytes, maxBytes)) : bytes
  const text = Text.isBinary(kept) ? undefined : Text.decodeStrict(kept)
  if (text === undefined) {
    return yield* scopeError("Binary", path, `${path} is not UTF-8 text (${open.size} bytes) and cannot be attached.`)
  }
  if (!isCut) return `[File: ${path}]\n${text}`
  const separator = text === "" || text.endsWith("\n") ? "" : "\n"
  const total = Math.max(open.size, bytes.length)
  return `[File: ${path}]\n${text}${separator}[...truncated, ${total} bytes total, first ${kept.length} shown]`
})

const marks: { readonly [K in Entry["kind"]]: string } = { directory: "/", link: "@", file: "" }

const directoryBody = (path: string, entries: ReadonlyArray<Entry>, maxBytes: number): string => {
  if (entries.length === 0) return `[Dir: ${path}]\n(empty directory)`
  const lines: Array<string> = []
  let bytes = 0
  for (const entry of entries.slice(0, maxEntries)) {
    const line = `${entry.name}${marks[entry.kind]}`
    bytes += Text.encode(line).length + 1
    if (bytes > maxBytes) break
    lines.push(line)
  }
  if (lines.length < entries.length) lines.push(`[...truncated, ${entries.length} entries total]`)
  return `[Dir: ${path}]\n${lines.join("\n")}`
}

/** What the model sees for `@path`: the file's text, at most `maxBytes` of it, or the directory's listing. */
export const attachment: (path: string, maxBytes: number) => Effect.Effect<string, ScopeError, ScopedFs> = Effect.fn(
  "FileView.attachment"
)(function* (path, maxBytes) {
  const fs = yield* ScopedFs
  const target = absolute(fs.cwd, path)
  const file = Effect.scoped(Effect.flatMap(fs.open(target), (open) => fileBody(path, open, maxBytes)))
  const directory = Effect.andThen(Effect.scoped(fs.directory(target)), fs.list(target)).pipe(
    Effect.map((entries) => directoryBody(path, entries, maxBytes))
  )
  return yield* Effect.catchIf(
    file,
    (error) => error.reason === "IsDirectory",
    () => directory
  )
})

const byValue = (a: Completion, b: Completion): number => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0)

/**
 * Paths that begin with `prefix`: one directory's entries, at most 100, directories first. Values continue the prefix
 * as it was typed, without a slash at the end. What cannot be listed has no completions.
 */
export const completions: (prefix: string) => Effect.Effect<ReadonlyArray<Completion>, never, ScopedFs> = Effect.fn(
  "FileView.completions"
)(function* (prefix) {
  const fs = yield* ScopedFs
  const cut = prefix.lastIndexOf("/") + 1
  const typed = prefix.slice(0, cut)
  const begun = prefix.slice(cut)
  const entries = yield* Effect.orElseSucceed(
    fs.list(typed === "" ? fs.cwd : absolute(fs.cwd, typed)),
    (): ReadonlyArray<Entry> => []
  )
  const found = entries
    .filter((entry) => entry.name.startsWith(begun))
    .map((entry): Completion => ({ value: typed + entry.name, is_dir: entry.kind === "directory" }))
  return [
    ...found.filter((entry) => entry.is_dir).toSorted(byValue),
    ...found.filter((entry) => !entry.is_dir).toSorted(byValue)
  ].slice(0, maxEntries)
})
