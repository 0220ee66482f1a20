/** What the kernel shows of processes as if it were files: environment, memory and open files, keys included. */

const places = /^\/proc\/(?:\d+|self|thread-self)(?:\/|$)/

/** No rule opens such a path to the file tools. `real` is a real path. */
export const isOfProcess = (real: string): boolean => places.test(real)

/** What a search of a directory leaves out, as patterns of `.gitignore` that are anchored at the directory. */
export const leftOut = (directory: string): ReadonlyArray<string> =>
  directory === "/" ? ["/proc", "/sys"] : directory === "/proc" ? ["/[0-9]*", "/self", "/thread-self"] : []
