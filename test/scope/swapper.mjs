/**
 * Somebody hostile in a thread of his own: swaps what lies below `work` for links into `outside` and back, as fast as he
 * can, until he is told to stop. Every swap is undone before the next; what others do to the same names meanwhile makes
 * a step fail, and the next begins from a clean state.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import { workerData } from "node:worker_threads"

const { flag, outside, work } = workerData
const state = new Int32Array(flag)
const [stopped, rounds] = [0, 1]
const at = (name) => `${work}/${name}`

const quietly = (step) => {
  try {
    step()
  } catch {}
}

const clean = () => {
  const sub = Fs.lstatSync(at("sub"), { throwIfNoEntry: false })
  if (sub !== undefined && !sub.isDirectory()) Fs.unlinkSync(at("sub"))
  if (Fs.existsSync(at("moved"))) {
    if (sub?.isDirectory()) Fs.rmSync(at("moved"), { recursive: true })
    else Fs.renameSync(at("moved"), at("sub"))
  }
  const file = Fs.lstatSync(at("sub/b.txt"), { throwIfNoEntry: false })
  if (file === undefined || !file.isFile()) {
    Fs.rmSync(at("sub/b.txt"), { force: true, recursive: true })
    Fs.writeFileSync(at("sub/b.txt"), "beta\n")
  }
}

execFileSync("mkfifo", [at("pipe")])

const swaps = [
  // The directory for a link.
  () => {
    Fs.renameSync(at("sub"), at("moved"))
    Fs.symlinkSync(outside, at("sub"))
    Fs.unlinkSync(at("sub"))
    Fs.renameSync(at("moved"), at("sub"))
  },
  // The file for a link.
  () => {
    Fs.renameSync(at("sub/b.txt"), at("sub/kept"))
    Fs.symlinkSync(`${outside}/b.txt`, at("sub/b.txt"))
    Fs.unlinkSync(at("sub/b.txt"))
    Fs.renameSync(at("sub/kept"), at("sub/b.txt"))
  },
  // The file for a link, in one step.
  () => {
    Fs.symlinkSync(`${outside}/b.txt`, at("sub/trap"))
    Fs.renameSync(at("sub/trap"), at("sub/b.txt"))
    Fs.writeFileSync(at("sub/trap"), "beta\n")
    Fs.renameSync(at("sub/trap"), at("sub/b.txt"))
  },
  // The file for a named pipe that nobody writes into.
  () => {
    Fs.renameSync(at("sub/b.txt"), at("sub/kept"))
    Fs.renameSync(at("pipe"), at("sub/b.txt"))
    Fs.renameSync(at("sub/b.txt"), at("pipe"))
    Fs.renameSync(at("sub/kept"), at("sub/b.txt"))
  }
]

for (let round = 1; Atomics.load(state, stopped) === 0; round++) {
  quietly(swaps[round % swaps.length])
  quietly(clean)
  Atomics.store(state, rounds, round)
}
clean()
process.exit(0)
