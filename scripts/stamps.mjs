/**
 * Answers one question, twice: is what lies on the disk still what these sources ask for? Once for `node_modules`
 * (against package-lock.json), once for `dist` (against everything the build reads).
 *
 * Contents are compared, never times: a checkout or a copy changes times and nothing else.
 * Plain Node without dependencies; it runs before anything is installed.
 */
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { root } from "./project.mjs"

/** What the build reads. Tests, docs and other scripts do not make a new build. */
const buildInputs = [
  "src",
  "layers",
  "scripts/build.mjs",
  "scripts/catalog.mjs",
  "tsconfig.json",
  "tsconfig.build.json",
  "package.json",
  "package-lock.json"
]

const readText = (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined)

const readJson = (path) => {
  try {
    return JSON.parse(readFileSync(path, "utf8"))
  } catch {
    return undefined
  }
}

const filesBelow = (path) => {
  const entries = readdirSync(path, { withFileTypes: true })
  return entries.flatMap((entry) => {
    const child = join(path, entry.name)
    return entry.isDirectory() ? filesBelow(child) : [child]
  })
}

/** The dependencies: the lockfile, and the platform that decides which of its optional packages are installed. */
const installStamp = (base) =>
  createHash("sha256")
    .update(readText(join(base, "package-lock.json")) ?? "")
    .update(`\0${process.platform}-${process.arch}-node${process.versions.modules}`)
    .digest("hex")

const installStampFile = (base) => join(base, "node_modules", ".effect-pod-install")

/** npm writes down what it installed. This finds the tree in order also when somebody ran npm by hand. */
const npmInstalledTheLock = (base) => {
  const wanted = readJson(join(base, "package-lock.json"))?.packages
  const present = readJson(join(base, "node_modules", ".package-lock.json"))?.packages
  if (wanted === undefined || present === undefined) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "") return true
    const found = present[path]
    if (found === undefined) return entry.optional === true
    return found.version === entry.version && found.integrity === entry.integrity && existsSync(join(base, path))
  })
}

export const isInstalled = (base = root) => {
  if (readText(installStampFile(base)) === installStamp(base)) return true
  if (!npmInstalledTheLock(base)) return false
  markInstalled(base)
  return true
}

export const markInstalled = (base = root) => writeFileSync(installStampFile(base), installStamp(base))

/** The sources: name and content of every file that the build reads. */
export const sourceStamp = (base = root) => {
  const hash = createHash("sha256")
  const files = buildInputs
    .map((input) => join(base, input))
    .filter((path) => existsSync(path))
    .flatMap((path) => (/\.[a-z]+$/.test(path) ? [path] : filesBelow(path)))
    .toSorted()
  for (const file of files) {
    const content = readFileSync(file)
    hash.update(`${relative(base, file)}\0${content.length}\0`).update(content)
  }
  return hash.digest("hex")
}

/** Lies inside `dist`, so that it goes when the build goes. */
export const buildStampFile = (dist) => join(dist, ".stamp")

export const isBuilt = (base = root) => {
  const dist = join(base, "dist")
  return existsSync(join(dist, "main.js")) && readText(buildStampFile(dist)) === sourceStamp(base)
}
