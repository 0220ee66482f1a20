/**
 * `npm start -- ARGS`: `node dist/main.js serve ARGS`, built if needed, in this very process, so that a signal to it
 * reaches the service and no shell or parent stands between.
 */
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { bootstrap } from "./bootstrap.mjs"
import { root } from "./project.mjs"

await bootstrap()
const main = join(root, "dist", "main.js")
process.argv.splice(1, 1, main, "serve")
await import(pathToFileURL(main).href)
