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
  /** `link` is the real place of a link whose target does not exist; it would be at `real`. */
  | { readonly _tag: "BrokenLink"; readonly link: string; readonly target: string; readonly real: string }
  /** `real` is as far as it leads. Undefined where the text alone is the trouble. */
  | { readonly _tag: "Unresolvable"; readonly why: string; readonly real: string | undefined }

/** A link on the way of a path, at its real place. `target` is its text, `real` where it leads. */
export interface Link {
  readonly link: string
  readonly target: string
  readonly real: string
}

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

/** In characters; the system counts bytes, and refuses what passes here. */
const maxPath = 4096

/**
 * `path` is absolute. A `..` is followed out of a directory only if `mayLeave` says so: else a path through places that
 * may not be seen would tell what is there, by arriving or not.
 */
export const resolve = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  path: string,
  mayLeave: (real: string) => boolean = () => true
): Effect.fn.Return<Resolution> {
  if (path.includes("\0")) {
    return { _tag: "Unresolvable", why: "the path holds a NUL character", real: undefined } as const
  }
  // Of a longer text every part would be looked at for nothing. The system's own limit, which counts a NUL too.
  if (path.length >= maxPath) {
    return { _tag: "Unresolvable", why: "the path is too long", real: undefined } as const
  }
  const direct = yield* withoutDotDot(fs, path, mayLeave)
  if (direct._tag === "Stuck") {
    const why = "`..` follows something that is not an existing directory"
    return { _tag: "Unresolvable", why, real: direct.real } as const
  }
  const real = yield* Effect.result(fs.realPath(direct.path))
  if (real._tag === "Success") return { _tag: "Existing", real: real.success } as const
  const end = yield* endOf(fs, direct.path)
  if (real.failure.reason._tag !== "NotFound") {
    return { _tag: "Unresolvable", why: describe(real.failure), real: end.real } as const
  }
  return end.broken === undefined
    ? ({ _tag: "Missing", real: end.real } as const)
    : ({ _tag: "BrokenLink", ...end.broken, real: end.real } as const)
})

/** The library's real path takes `..` back as text; through a link the kernel does something else. */
const withoutDotDot = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  path: string,
  mayLeave: (real: string) => boolean
) {
  let base = "/"
  let rest: Array<string> = []
  for (const name of Lexical.components(path)) {
    if (name !== "..") {
      rest.push(name)
      continue
    }
    const place = Lexical.join(base, ...rest)
    const real = yield* Effect.option(fs.realPath(place))
    if (real._tag === "None") return { _tag: "Stuck", real: (yield* endOf(fs, place)).real } as const
    const stuck = { _tag: "Stuck", real: real.value } as const
    if (!mayLeave(real.value)) return stuck
    const info = yield* Effect.option(fs.stat(real.value))
    if (info._tag === "None" || info.value.type !== "Directory") return stuck
    base = real.value === "/" ? "/" : Lexical.parent(real.value)
    rest = []
  }
  return { _tag: "Direct", path: Lexical.join(base, ...rest) } as const
})

/** As many links as the kernel follows before it takes them for a circle. */
const maxLinks = 40

/**
 * Where a path that leads to nothing would lead, as far as links say it: its existing part resolved, the rest as text.
 * `broken` is the first link on the way whose target is missing.
 */
const endOf = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, path: string) {
  let broken: { readonly link: string; readonly target: string } | undefined
  let current = path
  for (let links = 0; ; links++) {
    const { real, rest } = yield* existingPart(fs, current)
    const [first, ...others] = rest
    if (first === undefined) return { real, broken }
    const place = Lexical.join(real, first)
    const target = yield* Effect.option(fs.readLink(place))
    if (target._tag === "None" || links === maxLinks) return { real: Lexical.join(place, ...others), broken }
    broken ??= { link: place, target: target.value }
    const led = Lexical.isAbsolute(target.value) ? target.value : Lexical.join(real, target.value)
    current = Lexical.normalize(Lexical.join(led, ...others))
  }
})

const existingPart = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, path: string) {
  const rest: Array<string> = []
  for (let current = path; current !== "/"; current = Lexical.parent(current)) {
    const real = yield* Effect.option(fs.realPath(current))
    if (real._tag === "Some") return { real: real.value, rest }
    rest.unshift(Lexical.name(current))
  }
  return { real: "/", rest }
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
