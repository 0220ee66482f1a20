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

export const unresolvable = (path: string, why: string): ScopeError =>
  scopeError("OutOfScope", path, `${path} cannot be resolved: ${why}.`)

/** `real` is where the path leads and what was refused. */
export const outOfScope = Effect.fnUntraced(function* (options: {
  readonly fs: FileSystem.FileSystem
  readonly scope: ScopeSnapshot
  readonly path: string
  readonly real: string
  readonly needed: Permission
}) {
  const { fs, needed, path, real, scope } = options
  for (const link of yield* linksOf(fs, path)) {
    if (allows(scope.access(link.real), needed)) continue
    if (scope.access(Lexical.parent(link.link)) === "none") break
    return scopeError(
      "LinkOutOfScope",
      path,
      `${path} goes through the link ${link.link} -> ${link.target}, and what it points to may not be ${verb(needed)}. ` +
        remedy(scope, needed)
    )
  }
  if (needed === "write" && scope.access(real, path) === "read") {
    return scopeError("ReadOnly", path, `${path} may be read but not written. ${remedy(scope, "write")}`)
  }
  return scopeError("OutOfScope", path, `${path} is outside of what may be ${verb(needed)}. ${remedy(scope, needed)}`)
})

/** `link` is the real place of the broken link. */
export const brokenLink = (
  scope: ScopeSnapshot,
  path: string,
  broken: { readonly link: string; readonly target: string },
  needed: Permission
): ScopeError =>
  scope.access(Lexical.parent(broken.link)) === "none"
    ? scopeError("OutOfScope", path, `${path} is outside of what may be ${verb(needed)}. ${remedy(scope, needed)}`)
    : scopeError(
        "BrokenLink",
        path,
        `${path} goes through the broken link ${broken.link} -> ${broken.target}: its target does not exist. ` +
          "Name the target itself, or remove the link first."
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
