/**
 * Absolute POSIX paths as text: nothing here looks at the disk.
 *
 * All but `normalize` expect a normal path: a leading slash, no empty, `.` or `..` component, no slash at the end.
 */

export const isAbsolute = (path: string): boolean => path.startsWith("/")

/** The components of a path, `.` and empty ones left out. */
export const components = (path: string): ReadonlyArray<string> =>
  path.split("/").filter((name) => name !== "" && name !== ".")

/** How many components a path has. */
export const depth = (path: string): number => (path === "/" ? 0 : path.split("/").length - 1)

/**
 * The normal form, with `..` taken back textually. Through links that is not what the kernel does: use it to
 * compare paths, never to open one.
 */
export const normalize = (path: string): string => {
  const kept: Array<string> = []
  for (const name of components(path)) {
    if (name === "..") kept.pop()
    else kept.push(name)
  }
  return `/${kept.join("/")}`
}

/** The parent of the root is the empty text, which is no path's name. */
export const parent = (path: string): string => {
  if (path === "/") return ""
  const slash = path.lastIndexOf("/")
  return slash === 0 ? "/" : path.slice(0, slash)
}

export const name = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

export const join = (directory: string, ...names: ReadonlyArray<string>): string =>
  names.reduce((path, next) => (path === "/" ? `/${next}` : `${path}/${next}`), directory)

/** `path` is `ancestor` or lies below it, component by component. */
export const isWithin = (path: string, ancestor: string): boolean =>
  ancestor === "/" || path === ancestor || path.startsWith(`${ancestor}/`)

/** The path below `ancestor`, without a leading slash; empty for the ancestor itself. */
export const relative = (path: string, ancestor: string): string =>
  path === ancestor ? "" : path.slice(ancestor === "/" ? 1 : ancestor.length + 1)
