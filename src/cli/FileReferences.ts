/** Where `@path` points: seen from where the command was called, named as the pod will look for it. */
import { statSync } from "node:fs"
import { isAbsolute, relative, resolve } from "node:path"

/** Relative paths are meant from `cwd`; the pod resolves them from `podCwd`. */
export const finder =
  (cwd: string, podCwd: string) =>
  (path: string): string | undefined => {
    const absolute = resolve(cwd, path)
    try {
      const info = statSync(absolute)
      if (!info.isFile() && !info.isDirectory()) return undefined
    } catch {
      return undefined
    }
    if (isAbsolute(path) || cwd === podCwd) return path
    const inside = relative(podCwd, absolute)
    return inside === "" || inside.startsWith("..") || isAbsolute(inside) ? absolute : inside
  }
