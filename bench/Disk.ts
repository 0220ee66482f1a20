/** What the disk itself takes to make a record durable: no program that promises as much can be faster. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { now } from "./Clock.ts"
import { spread, type Spread } from "./Rows.ts"

const records = 200

/** Milliseconds for one append of 200 bytes and its fdatasync. */
export const fdatasync = (directory: string): Spread | undefined => {
  const path = join(directory, "fdatasync")
  const file = openSync(path, "a")
  try {
    const line = `${"x".repeat(199)}\n`
    return spread(
      Array.from({ length: records }, () => {
        const start = now()
        writeSync(file, line)
        fdatasyncSync(file)
        return now() - start
      })
    )
  } finally {
    closeSync(file)
    rmSync(path)
  }
}
