/**
 * What is measured: the built program, and the floor. Both are started in a place of their own, tell on stderr when they
 * are ready, and get the same lines over the same kind of socket.
 */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Children from "./Children.ts"
import * as Client from "./Client.ts"
import { now, within } from "./Clock.ts"

export type SubjectName = "floor" | "pod"

export interface Place {
  readonly root: string
  readonly cwd: string
  /** A text file of 200 lines in `cwd`, to be read. */
  readonly file: string
}

export interface Subject {
  readonly name: SubjectName
  readonly args: (place: Place, modelUrl: string) => ReadonlyArray<string>
  readonly env: (place: Place, modelUrl: string) => Readonly<Record<string, string>>
}

export interface Started {
  readonly pid: number
  /** Milliseconds from just before the spawn until its ready line was read here. */
  readonly readyAfter: number
  readonly spawnedAt: number
  readonly socket: string
  readonly connect: () => Promise<Client.Client>
  /** Asks it to end as a service manager does, and waits. */
  readonly stop: () => Promise<void>
}

export type SandboxMode = "auto" | "off" | "required"

const manifest = (place: Place, modelUrl: string, sandbox: SandboxMode): string => `
[pod]
name = "bench"

[model]
scheme = "anthropic"
model_id = "bench-1"
base_url = "${modelUrl}"
auth = { kind = "api_key" }

[[scope.allow]]
target = "${place.cwd}"
permission = "write"

[sandbox]
mode = "${sandbox}"
`

export const floor = (script: string): Subject => ({
  name: "floor",
  args: () => [script],
  env: (place, modelUrl) => ({ FLOOR_DIR: join(place.root, "floor"), FLOOR_MODEL_URL: modelUrl })
})

export const pod = (program: string, sandbox: SandboxMode = "auto"): Subject => ({
  name: "pod",
  args: (place, modelUrl) => {
    const file = join(place.root, "manifest.toml")
    writeFileSync(file, manifest(place, modelUrl, sandbox))
    return [program, "serve", "--manifest", file]
  },
  env: (place) => ({ EFFECT_POD_HOME: join(place.root, "home"), ANTHROPIC_API_KEY: "not-a-key" })
})

/** The path is short, so that sockets fit into it. */
export const makePlace = (parent: string): Place => {
  const root = mkdtempSync(join(realpathSync(parent), "epb-"))
  const cwd = join(root, "work")
  mkdirSync(cwd)
  const file = join(cwd, "read.txt")
  writeFileSync(file, Array.from({ length: 200 }, (_, index) => `line ${index + 1} of a file of text\n`).join(""))
  return { root, cwd, file }
}

export const removePlace = (place: Place): void => rmSync(place.root, { recursive: true, force: true })

/** Nothing of the caller's environment but PATH gets through. */
export const start = (subject: Subject, place: Place, modelUrl: string): Promise<Started> => {
  const args = [...subject.args(place, modelUrl)]
  const env = { PATH: process.env["PATH"] ?? "", HOME: place.root, ...subject.env(place, modelUrl) }
  const spawnedAt = now()
  const child = Children.own(
    spawn(process.execPath, args, { cwd: place.cwd, env, stdio: ["ignore", "ignore", "pipe"] })
  )
  let said = ""
  const ready = new Promise<Started>((resolve, reject) => {
    const onData = (piece: string) => {
      const at = now()
      said = (said + piece).slice(-4000)
      const line = /^POD-READY\t[^\t\n]+\t([^\t\n]+)\n/m.exec(said)
      if (line === null) return
      resolve({
        pid: child.pid ?? -1,
        readyAfter: at - spawnedAt,
        spawnedAt,
        socket: line[1] as string,
        connect: () => Client.connect(line[1] as string),
        stop: () => Children.stop(child)
      })
    }
    child.stderr.setEncoding("utf8")
    child.stderr.on("data", onData)
    child.once("error", reject)
    child.once("close", (code, signal) => reject(new Error(`${subject.name} ended (${code ?? signal})\n${said}`)))
  })
  return within(ready, () => `waiting for ${subject.name} to be ready\n${said}`)
}
