/**
 * The words for paths that a pod may not use, and for what it may do instead.
 *
 * Asked only after a check has failed: it looks at links again to explain them, and decides nothing.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Permission } from "../protocol/ScopeRule.ts"
import * as Lexical from "./Lexical.ts"
import type { ScopeSnapshot } from "./LiveScope.ts"
import { isOfProcess } from "./Process.ts"
import { linksOf } from "./Resolve.ts"
import { allows } from "./Scope.ts"
import { scopeError, type ScopeError } from "./ScopeError.ts"

const verb = (needed: Permission): string => (needed === "write" ? "written" : "read")

const shownRoots = 5

/** Where such a thing would be allowed. */
const remedy = (scope: ScopeSnapshot, needed: Permission): string => {
  const roots = scope.roots(needed)
  if (roots.length === 0) return needed === "write" ? "Nothing may be written in this scope." : "The scope is empty."
  const more = roots.length > shownRoots ? ` and ${roots.length - shownRoots} more` : ""
  return `Use a path below ${roots.slice(0, shownRoots).join(", ")}${more}.`
}

export const notAbsolute = (path: string, cwd: string): ScopeError =>
  scopeError(
    "NotAbsolute",
    path,
    path === ""
      ? "The path is empty: give an absolute path."
      : `${path} is not an absolute path. Did you mean ${Lexical.normalize(Lexical.join(cwd, path))}?`
  )

/** Says why only where what is in the way may be seen. `real` is as far as the path leads. */
export const unresolvable = Effect.fnUntraced(function* (
  asked: Asked & { readonly why: string; readonly real: string | undefined }
) {
  const { path, real, scope, why } = asked
  if (real !== undefined && scope.access(real) === "none") return yield* outOfScope({ ...asked, real })
  return scopeError("OutOfScope", path, `${path} cannot be resolved: ${why}.`)
})

/** A path that was asked for, and what for. */
interface Asked {
  readonly fs: FileSystem.FileSystem
  readonly scope: ScopeSnapshot
  readonly path: string
  readonly needed: Permission
}

/** `real` is where the path leads and what was refused. */
export const outOfScope = Effect.fnUntraced(function* (asked: Asked & { readonly real: string }) {
  const { fs, needed, path, real, scope } = asked
  if (isOfProcess(real)) {
    return scopeError("OutOfScope", path, `${path} belongs to a process: its memory and environment are never shown.`)
  }
  // With `..` in it, the links of a path would tell what is on the other side of it.
  const links = Lexical.components(path).includes("..") ? [] : yield* linksOf(fs, path)
  for (const link of links) {
    if (allows(scope.access(link.real), needed)) continue
    if (scope.access(Lexical.parent(link.link)) === "none") break
    return throughLink(scope, path, link, needed)
  }
  if (needed === "write" && scope.access(real, path) === "read") {
    return scopeError("ReadOnly", path, `${path} may be read but not written. ${remedy(scope, "write")}`)
  }
  return plainly(scope, path, needed)
})

const plainly = (scope: ScopeSnapshot, path: string, needed: Permission): ScopeError =>
  scopeError("OutOfScope", path, `${path} is outside of what may be ${verb(needed)}. ${remedy(scope, needed)}`)

const throughLink = (
  scope: ScopeSnapshot,
  path: string,
  { link, target }: { readonly link: string; readonly target: string },
  needed: Permission
): ScopeError =>
  scopeError(
    "LinkOutOfScope",
    path,
    `${path} goes through the link ${link} -> ${target}, and what it points to may not be ${verb(needed)}. ` +
      remedy(scope, needed)
  )

/**
 * `link` is the real place of the broken link, `real` where its target would be. That nothing is there is told only
 * where it may be seen: else it reads like a link to something.
 */
export const brokenLink = (
  scope: ScopeSnapshot,
  path: string,
  broken: { readonly link: string; readonly target: string; readonly real: string },
  needed: Permission
): ScopeError => {
  if (scope.access(Lexical.parent(broken.link)) === "none" || Lexical.components(path).includes("..")) {
    return plainly(scope, path, needed)
  }
  if (scope.access(broken.real) === "none") return throughLink(scope, path, broken, needed)
  return scopeError(
    "BrokenLink",
    path,
    `${path} goes through the broken link ${broken.link} -> ${broken.target}: its target does not exist. ` +
      "Name the target itself, or remove the link first."
  )
}

export const hardLink = (path: string): ScopeError =>
  scopeError(
    "OutOfScope",
    path,
    `${path} is another name of a file in a directory that may not be read: it is a hard link, and not shown either.`
  )

const kinds: { readonly [T in FileSystem.File.Type]: string } = {
  File: "a file",
  Directory: "a directory",
  SymbolicLink: "a link",
  BlockDevice: "a block device",
  CharacterDevice: "a character device",
  FIFO: "a named pipe (FIFO)",
  Socket: "a socket",
  Unknown: "of an unknown kind"
}

/** The thing exists, and is not a file. */
export const wrongKind = (path: string, type: FileSystem.File.Type): ScopeError =>
  type === "Directory"
    ? scopeError("IsDirectory", path, `${path} is a directory, not a file.`)
    : scopeError("NotRegular", path, `${path} is ${kinds[type]}: only regular files can be read and written.`)
