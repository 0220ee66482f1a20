/** What a plan of mounts asks the disk, each thing once: a plan is for one moment. */
import * as NFS from "node:fs"
import type { Disk, Kind } from "./SandboxPlan.ts"

/** So many entries of a directory that became read-only are mounted again. */
const maxChildren = 256

const kindOf = (path: string): Kind => {
  try {
    const info = NFS.lstatSync(path)
    return info.isSymbolicLink() ? "link" : info.isDirectory() ? "directory" : "file"
  } catch {
    return "missing"
  }
}

/** The directories directly in it; undefined if it cannot be listed. */
export const directoriesIn = (path: string): ReadonlyArray<string> | undefined => {
  try {
    return NFS.readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return undefined
  }
}

export const make = (): Disk => {
  const kinds = new Map<string, Kind>()
  return {
    kind: (path) => {
      const known = kinds.get(path)
      if (known !== undefined) return known
      const kind = kindOf(path)
      kinds.set(path, kind)
      return kind
    },
    children: (path) => {
      try {
        const names = NFS.readdirSync(path)
        return names.length <= maxChildren ? names : undefined
      } catch {
        return undefined
      }
    }
  }
}
