/**
 * Run by hand after a change of dependencies: `npm install --package-lock-only && node scripts/complete-lock.mjs`.
 *
 * npm leaves out of package-lock.json the optional platform packages that the registry in use cannot give (a mirror may
 * carry some platforms only), and `npm ci` then refuses that file everywhere. This adds them. Name and version are those
 * that the package which wants them pins, the platform is read off the name (a libc only where a sibling names one), and
 * there is no integrity to compare with until the file is made anew against a registry that has them all.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./project.mjs"

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"]

const platformOf = (name) => {
  const words = name.split(/[/-]/)
  const find = (known) => known.filter((word) => words.includes(word))
  const libc = /musl/.test(name) ? ["musl"] : /gnu|linux-(arm64|x64)$/.test(name) ? ["glibc"] : undefined
  return { os: find(systems), cpu: find(processors), ...(libc !== undefined && { libc }) }
}

const file = join(root, "package-lock.json")
const lock = JSON.parse(readFileSync(file, "utf8"))
const { packages } = lock

for (const [path, wanting] of Object.entries(packages)) {
  const wanted = Object.entries(wanting.optionalDependencies ?? {})
  const placeOf = (name) => `${path.slice(0, path.lastIndexOf("node_modules/"))}node_modules/${name}`
  // A static binary runs on any: its packages for Linux name no libc.
  const known = wanted.flatMap(([name]) => packages[placeOf(name)] ?? []).filter(({ os }) => os?.includes("linux"))
  const hasLibc = known.length === 0 || known.some(({ libc }) => libc !== undefined)
  for (const [name, version] of wanted) {
    const place = placeOf(name)
    const platform = platformOf(name)
    const isExact = /^\d+\.\d+\.\d+$/.test(version)
    if (path === "" || packages[place] !== undefined || !isExact || platform.cpu.length === 0) continue
    packages[place] = {
      version,
      cpu: platform.cpu,
      ...(wanting.dev === true && { dev: true }),
      ...(hasLibc && platform.libc !== undefined && { libc: platform.libc }),
      ...(wanting.license !== undefined && { license: wanting.license }),
      optional: true,
      ...(platform.os.length > 0 && { os: platform.os }),
      ...(wanting.engines !== undefined && { engines: wanting.engines })
    }
    process.stdout.write(`added ${place} ${version}\n`)
  }
}

const [project, ...others] = Object.entries(packages)
others.sort(([a], [b]) => a.localeCompare(b, "en"))
lock.packages = Object.fromEntries([project, ...others])
writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`)
