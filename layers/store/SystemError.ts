/**
 * What the operating system said, as a `StorageError`: what was tried, on which path, and what a person can do.
 */
import * as Util from "node:util"
import { StorageError } from "../../src/session/StorageError.ts"

/** The system's code (`ENOSPC`), or undefined if the cause is not a system error. */
export const systemCode = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined

/** `no space left on device (ENOSPC)` */
export const describeSystemError = (cause: unknown): string => {
  const errno = cause instanceof Error && "errno" in cause && typeof cause.errno === "number" ? cause.errno : undefined
  const known = errno === undefined ? undefined : Util.getSystemErrorMap().get(errno)
  if (known !== undefined) return `${known[1]} (${known[0]})`
  return cause instanceof Error ? cause.message : String(cause)
}

export const systemHint = (code: string | undefined): string | undefined =>
  code === undefined ? undefined : hints[code]

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free some space on it, then try again; nothing that was written before is lost",
  EDQUOT: "your disk quota is used up: free some space, then try again; nothing that was written before is lost",
  EFBIG: "the file has reached the largest size that this file system or `ulimit -f` allows",
  EROFS: "the file system is read-only: mount it writable, or choose another place with EFFECT_POD_DATA_DIR",
  EACCES: "the owner or the mode of the path, or of a directory above it, forbids this: look at it with `namei -l`",
  EPERM: "the owner or the attributes of the path forbid this: look at it with `ls -l` and `lsattr`",
  ENOTDIR: "a part of the path is a file: remove it, or choose another place with EFFECT_POD_DATA_DIR",
  EMFILE: "this process has too many files open: raise `ulimit -n`",
  ENFILE: "the machine has too many files open",
  EIO: "the disk reported a fault: look at the system log, and copy the directory away before anything else"
}

/** `Exists` and `NotFound` are what EEXIST and ENOENT mean only where a caller says so. */
export const systemError =
  (operation: string, path: string, reasons?: Readonly<Record<string, StorageError["reason"]>>) =>
  (cause: unknown): StorageError => {
    const code = systemCode(cause)
    const hint = systemHint(code)
    return new StorageError({
      reason: (code === undefined ? undefined : reasons?.[code]) ?? "Io",
      operation,
      path,
      message: `${operation} failed for ${path}: ${describeSystemError(cause)}`,
      ...(code === undefined ? {} : { code }),
      ...(hint === undefined ? {} : { hint })
    })
  }
