/**
 * Ignore files that ripgrep must not open. It opens whatever bears such a name: it waits for the writer of a pipe, follows
 * links, and loads a file whole. So the tree is looked through while ripgrep walks it, and where one is found the search
 * is run again without ignore files.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Lexical from "../scope/Lexical.ts"

const names = [".gitignore", ".ignore", ".rgignore"]

/** A larger one is not loaded. */
const maxBytes = 4 * 1024 * 1024

const concurrency = 16

export interface IgnoreFiles {
  /** A directory above holds one that may not be read. Behind a fence ripgrep does not see it. */
  readonly hasForeign: Effect.Effect<boolean>
  /** The first that ripgrep must not open, above the directory or in it, in words. */
  readonly findBad: (fence: { readonly isFenced: boolean }) => Effect.Effect<string | undefined>
}

export const make = (options: {
  readonly fs: FileSystem.FileSystem
  /** The directory of the search: its real path, and one that cannot be led elsewhere. */
  readonly real: string
  readonly here: string
  readonly isReadable: (real: string) => boolean
}): IgnoreFiles => {
  const { fs, here, isReadable, real } = options

  const isLink = (path: string) => Effect.isSuccess(fs.readLink(path))

  const isBad = Effect.fnUntraced(function* (path: string, named: string, link: boolean, isFenced: boolean) {
    if (!isReadable(named)) return !isFenced
    if (link) {
      const target = yield* Effect.option(fs.realPath(path))
      // Whether something is there that may not be read must not make a difference.
      if (Option.isNone(target) || !isReadable(target.value)) return !isFenced
    }
    const info = yield* Effect.option(fs.stat(path))
    if (Option.isNone(info)) return false
    const { size, type } = info.value
    return type === "File" ? size > maxBytes : type !== "Directory" && type !== "Socket"
  })

  const above: Array<string> = []
  for (let at = Lexical.parent(real); at !== ""; at = Lexical.parent(at)) {
    for (const name of names) above.push(Lexical.join(at, name))
  }

  const badAbove = Effect.fnUntraced(function* (isFenced: boolean) {
    for (const path of above) {
      if (isReadable(path) && (yield* isBad(path, path, yield* isLink(path), isFenced))) return path
    }
    return undefined
  })

  return {
    hasForeign: Effect.gen(function* () {
      for (const path of above) {
        if (isReadable(path)) continue
        if ((yield* isLink(path)) || (yield* Effect.orElseSucceed(fs.exists(path), () => true))) return true
      }
      return false
    }),
    findBad: Effect.fnUntraced(function* ({ isFenced }) {
      let bad = yield* badAbove(isFenced)
      let level: ReadonlyArray<string> = [""]
      while (bad === undefined && level.length > 0) {
        const next: Array<string> = []
        yield* Effect.forEach(
          level,
          Effect.fnUntraced(function* (directory) {
            const entries = yield* Effect.orElseSucceed(fs.readDirectoryEntries(`${here}/${directory}`), () => [])
            for (const { name, type } of entries) {
              // In the order of paths ripgrep opens those of a directory before it decides to leave it out.
              if (type === "Directory") next.push(`${directory}${name}/`)
              if (!names.includes(name) || bad !== undefined) continue
              const named = Lexical.join(real, `${directory}${name}`)
              const link = type === "SymbolicLink"
              if (!(yield* isBad(`${here}/${directory}${name}`, named, link, isFenced))) continue
              bad = isReadable(named) ? named : "one of them"
            }
          }),
          { concurrency, discard: true }
        )
        level = next
      }
      return bad
    })
  }
}
