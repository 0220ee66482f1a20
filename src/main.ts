/**
 * The program's door.
 *
 * Node compiles half a megabyte at each start. From version 22.1 on it can keep what comes of that: beside the program,
 * so that it goes when the program does, and who could write there could change the program itself. Where nothing can
 * be written, nothing is kept. It has to be asked for before the program is imported.
 */
import * as Module from "node:module"
import { fileURLToPath } from "node:url"

if ("enableCompileCache" in Module) Module.enableCompileCache(fileURLToPath(new URL("./cache", import.meta.url)))

// Not awaited at the top level: the commands' files share with the program what it imports, and must not wait for it.
import("./cli/Program.ts")
  .then(({ main }) => main(process.argv.slice(2)))
  .catch((cause: unknown) => {
    process.stderr.write(`effect-pod: a part of the program cannot be loaded: ${String(cause)}\n`)
    process.exitCode = 1
  })
