/** Where one pod of a campaign lives: a working directory, a home, and a manifest that names the model server. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Place {
  readonly root: string
  readonly cwd: string
  readonly home: string
  readonly env: Readonly<Record<string, string>>
}

/** The path is short, so that sockets fit into it. Nothing of the caller's environment but PATH gets through. */
export const make = (): Place => {
  const root = mkdtempSync(join(realpathSync(tmpdir()), "epc-"))
  const cwd = join(root, "work")
  const home = join(root, "home")
  mkdirSync(cwd)
  const env = { PATH: process.env["PATH"] ?? "", HOME: root, EFFECT_POD_HOME: home, ANTHROPIC_API_KEY: "not-a-key" }
  return { root, cwd, home, env }
}

export const remove = (place: Place): void => {
  rmSync(place.root, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
}

export const podName = "pod"

/** Writes the manifest of a pod of this name and returns its path. */
export const manifest = (place: Place, modelUrl: string, name: string = podName): string => {
  const path = join(place.root, `${name}.toml`)
  const lines = [
    `[pod]`,
    `name = "${name}"`,
    `[[scope.allow]]`,
    `target = "${place.cwd}"`,
    `permission = "write"`,
    `[model]`,
    `scheme = "anthropic"`,
    `model_id = "crash-1"`,
    `base_url = "${modelUrl}"`,
    `auth = { kind = "api_key" }`
  ]
  writeFileSync(path, `${lines.join("\n")}\n`)
  return path
}

/** The segment that the pod's metadata name, or undefined while there is none. */
export const segmentPath = (place: Place, name: string = podName): string | undefined => {
  const metadata = join(place.home, "data", "pods", name, "metadata.json")
  if (!existsSync(metadata)) return undefined
  const { active } = JSON.parse(readFileSync(metadata, "utf8")) as {
    readonly active?: { readonly session_id: string; readonly segment_id?: string }
  }
  if (active?.segment_id === undefined) return undefined
  const path = join(place.home, "data", "sessions", active.session_id, `${active.segment_id}.jsonl`)
  return existsSync(path) ? path : undefined
}

/** Another segment of the pod's session, if it is there. */
export const siblingPath = (place: Place, segment: string): string | undefined => {
  const own = segmentPath(place)
  const path = own === undefined ? "" : join(own, "..", `${segment}.jsonl`)
  return existsSync(path) ? path : undefined
}

/** Every segment of the pod's session, as it lies there. */
export const segments = (place: Place): ReadonlyMap<string, Uint8Array> => {
  const own = segmentPath(place)
  if (own === undefined) return new Map()
  const directory = join(own, "..")
  const names = readdirSync(directory).filter((name) => name.endsWith(".jsonl"))
  return new Map(names.map((name) => [join(directory, name), readFileSync(join(directory, name))]))
}

/** What was put aside of a torn tail behind byte `keep`: every copy there is. */
export const sideFiles = (segment: string, keep: number): ReadonlyArray<string> => {
  const directory = join(segment, "..")
  const base = join(segment).replace(/\.jsonl$/, `.torn-${keep}`)
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((path) => path === base || path.startsWith(`${base}.`))
}

/** The lines that tools have left: one for each time that a command ran. */
export const effects = (place: Place): ReadonlyArray<string> => {
  const path = join(place.cwd, "effects.txt")
  return existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : []
}
