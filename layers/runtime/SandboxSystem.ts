/**
 * What a shell needs of the system besides the scope: programs, libraries, and of the configuration what they read and
 * what holds no secrets. It is read-only.
 */
import * as NFS from "node:fs"
import * as Path from "node:path"

const programs = [
  "/bin",
  "/gnu/store",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/nix/store",
  "/run/current-system",
  "/sbin",
  "/usr"
]

const configuration = [
  "alternatives",
  "bash.bashrc",
  "ca-certificates",
  "ca-certificates.conf",
  "crypto-policies",
  "debian_version",
  "fonts",
  "gai.conf",
  "group",
  "host.conf",
  "hosts",
  "inputrc",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "locale.alias",
  "locale.conf",
  "localtime",
  "magic",
  "magic.mime",
  "mime.types",
  "networks",
  "nsswitch.conf",
  "os-release",
  "passwd",
  "pki/ca-trust",
  "pki/tls/cert.pem",
  "pki/tls/certs",
  "profile",
  "profile.d",
  "protocols",
  "resolv.conf",
  "rpc",
  "services",
  "shells",
  "ssl/cert.pem",
  "ssl/certs",
  "ssl/openssl.cnf",
  "terminfo",
  "timezone"
]

/** Of these every directory whose name begins so: languages keep what all their programs read there. */
const languages = /^(java-|ld-musl-|perl|python)/

export interface System {
  /** Plain files and directories. */
  readonly paths: ReadonlyArray<string>
  /** Links, with where they lead. With `text` it stays a link, because its target is there under that name. */
  readonly links: ReadonlyArray<{ readonly path: string; readonly real: string; readonly text: string | undefined }>
  /** The shell that prepares the ground for a command. Not one that PATH finds: a command may have put it there. */
  readonly shell: string
  /** What of the kernel lies in /proc beside the processes. Root may write to it by its files' modes, also without power. */
  readonly kernel: ReadonlyArray<string>
}

/** These are links, or belong to the namespaces of whoever looks. */
const ofProcesses = /^(\d+|self|thread-self|net|mounts|sysvipc)$/

const kernelPaths = (): ReadonlyArray<string> =>
  namesIn("/proc")
    .filter((name) => !ofProcesses.test(name))
    .map((name) => Path.join("/proc", name))
    .filter((path) => {
      const info = NFS.lstatSync(path, { throwIfNoEntry: false })
      return info !== undefined && (info.isDirectory() || (info.mode & 0o222) !== 0)
    })

const namesIn = (directory: string): ReadonlyArray<string> => {
  try {
    return NFS.readdirSync(directory)
  } catch {
    return []
  }
}

/** As it is on this machine now. */
export const look = (): System => {
  const names = [...configuration, ...namesIn("/etc").filter((name) => languages.test(name))]
  const paths: Array<string> = []
  const links: Array<System["links"][number]> = []
  for (const path of [...programs, ...names.map((name) => Path.join("/etc", name))]) {
    try {
      const real = NFS.realpathSync.native(path)
      if (real === path) paths.push(path)
      else
        links.push({ path, real, text: programs.includes(path) && isBeside(path) ? NFS.readlinkSync(path) : undefined })
    } catch {
      // Not on this machine.
    }
  }
  return { paths, links, shell: shell(), kernel: kernelPaths() }
}

const shell = (): string =>
  ["/usr/bin", "/bin", "/run/current-system/sw/bin", "/usr/local/bin"]
    .map((directory) => Path.join(directory, "bash"))
    .find((path) => NFS.existsSync(path)) ?? "bash"

/** A link such as `/bin -> usr/bin`. */
const isBeside = (path: string): boolean => {
  try {
    return Path.dirname(path) === "/" && NFS.realpathSync.native(path).startsWith("/usr/")
  } catch {
    return false
  }
}
