/** `npm run test:model`: plays many seeds, and reports every one that shows a difference. */
import { parseArgs } from "node:util"
import { hunt } from "./Hunt.ts"

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "0" },
    stop: { type: "string", default: "10" }
  }
})
const [seeds, from, stop] = [Number(values.seeds), Number(values.from), Number(values.stop)]
const begun = performance.now()
let found = 0
let played = 0
for (let seed = from; seed < from + seeds && found < stop; seed++) {
  const report = await hunt(seed)
  played += 1
  if (played % 500 === 0) process.stderr.write(`${played} seeds, ${Math.round((performance.now() - begun) / 1000)} s\n`)
  if (report === undefined) continue
  found += 1
  console.log(`${report}\n`)
}
console.log(`${played} seeds, ${found} differences, ${Math.round((performance.now() - begun) / 1000)} s`)
process.exitCode = found === 0 ? 0 : 1
