/** What the disk itself takes to make a record durable: no program that promises as much can be faster. And its use. */
import { closeSync, fdatasyncSync, lstatSync, openSync, readdirSync, rmSync, type Stats, writeSync } from "node:fs"
import { join } from "node:path"
import { now } from "./Clock.ts"
import { spread, type Spread } from "./Rows.ts"

const records = 200

export interface Bare {
  /** Milliseconds for one append and its fdatasync. */
  readonly append: () => number
  readonly close: () => void
}

/** A file of records that are `bytes` long. */
export const open = (directory: string, bytes: number): Bare => {
  const path = join(directory, "fdatasync")
  const file = openSync(path, "a")
  const line = `${"x".repeat(bytes - 1)}\n`
  return {
    append: () => {
      const start = now()
      writeSync(file, line)
      fdatasyncSync(file)
      return now() - start
    },
    close: () => {
      closeSync(file)
      rmSync(path)
    }
  }
}

/** Milliseconds for one append of 200 bytes and its fdatasync. */
export const fdatasync = (directory: string): Spread | undefined => {
  const bare = open(directory, 200)
  try {
    return spread(Array.from({ length: records }, bare.append))
  } finally {
    bare.close()
  }
}

/** Each file once, however many names it has. */
const files = (directory: string): ReadonlyArray<Stats> => {
  const found = readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) =>
    lstatSync(join(directory, name))
  )
  return Array.from(new Map(found.map((stats) => [stats.ino, stats])).values())
}

/** Bytes that the disk has set aside for what lies in the directory. */
export const blocks = (directory: string): number =>
  files(directory).reduce((sum, stats) => sum + stats.blocks * 512, 0)

/** Length of all the files in the directory. */
export const bytes = (directory: string): number =>
  files(directory).reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0)
