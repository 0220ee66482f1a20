/**
 * From a path as it was typed to the place that it really names.
 *
 * Links are followed the way the kernel follows them. What does not exist yet resolves to the real path of its nearest
 * existing ancestor plus the rest. A `..` behind something missing resolves to nothing: nobody can say where it leads.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Lexical from "./Lexical.ts"

export type Resolution =
  | { readonly _tag: "Existing"; readonly real: string }
  /** Nothing is there; something that is created under this path would be at `real`. */
  | { readonly _tag: "Missing"; readonly real: string }
  /** `link` is the real place of a link whose target does not exist. */
  | { readonly _tag: "BrokenLink"; readonly link: string; readonly target: string }
  | { readonly _tag: "Unresolvable"; readonly why: string }

/** A link on the way of a path, at its real place. `target` is its text, `real` where it leads. */
export interface Link {
  readonly link: string
  readonly target: string
  readonly real: string
}

const unresolvable = (why: string): Resolution => ({ _tag: "Unresolvable", why })

/** The plain reason of a failed file operation, without the path. */
export const describe = (error: PlatformError): string => {
  switch (error.reason._tag) {
    case "NotFound":
      return "it does not exist"
    case "PermissionDenied":
      return "the operating system denies permission"
    case "AlreadyExists":
      return "it already exists"
    default: {
      const cause = error.reason.cause
      const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : undefined
      if (code === undefined) return error.reason.description ?? "the operating system refused"
      return errnoTexts[code] ?? `the operating system answered ${code}`
    }
  }
}

const errnoTexts: { readonly [code: string]: string } = {
  ELOOP: "its links lead in a circle",
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "it is a directory",
  ENAMETOOLONG: "the name is too long",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EMFILE: "too many files are open",
  ENXIO: "nothing is listening behind it"
}

/** `path` is absolute. */
export const resolve = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  path: string
): Effect.fn.Return<Resolution> {
  if (path.includes("\0")) return unresolvable("the path holds a NUL character")
  const direct = yield* withoutDotDot(fs, path)
  if (direct === undefined) return unresolvable("`..` follows something that is not an existing directory")
  const real = yield* Effect.result(fs.realPath(direct))
  if (real._tag === "Success") return { _tag: "Existing", real: real.success }
  if (real.failure.reason._tag !== "NotFound") return unresolvable(describe(real.failure))
  return yield* resolveMissing(fs, direct)
})

/** The library's real path takes `..` back as text; through a link the kernel does something else. */
const withoutDotDot = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, path: string) {
  let base = "/"
  let rest: Array<string> = []
  for (const name of Lexical.components(path)) {
    if (name !== "..") {
      rest.push(name)
      continue
    }
    const real = yield* Effect.option(fs.realPath(Lexical.join(base, ...rest)))
    if (real._tag === "None") return undefined
    const info = yield* Effect.option(fs.stat(real.value))
    if (info._tag === "None" || info.value.type !== "Directory") return undefined
    base = real.value === "/" ? "/" : Lexical.parent(real.value)
    rest = []
  }
  return Lexical.join(base, ...rest)
})

const resolveMissing = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  path: string
): Effect.fn.Return<Resolution> {
  const tail: Array<string> = []
  for (let current = path; current !== "/"; current = Lexical.parent(current)) {
    tail.unshift(Lexical.name(current))
    const real = yield* Effect.result(fs.realPath(Lexical.parent(current)))
    if (real._tag === "Failure") {
      if (real.failure.reason._tag === "NotFound") continue
      return unresolvable(describe(real.failure))
    }
    const first = Lexical.join(real.success, tail[0] as string)
    const target = yield* Effect.option(fs.readLink(first))
    if (target._tag === "Some") return { _tag: "BrokenLink", link: first, target: target.value }
    return { _tag: "Missing", real: Lexical.join(real.success, ...tail) }
  }
  return { _tag: "Existing", real: "/" }
})

/** Every link that an existing path passes through, in order. For explanations; the path is not checked again. */
export const linksOf = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, path: string) {
  const links: Array<Link> = []
  let current = "/"
  for (const name of Lexical.components(path)) {
    if (name === "..") {
      current = current === "/" ? "/" : Lexical.parent(current)
      continue
    }
    const next = Lexical.join(current, name)
    const target = yield* Effect.option(fs.readLink(next))
    if (target._tag === "None") {
      current = next
      continue
    }
    const real = yield* Effect.option(fs.realPath(next))
    if (real._tag === "None") return links
    links.push({ link: next, target: target.value, real: real.value })
    current = real.value
  }
  return links
})
