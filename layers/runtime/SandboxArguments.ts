/** From a plan of mounts to the command line of bubblewrap. */
import type { LaunchSpec } from "../../src/runtime/Launcher.ts"
import * as Lexical from "../../src/scope/Lexical.ts"
import * as Scope from "../../src/scope/Scope.ts"
import type { ScopeRules } from "../../src/protocol/ScopeRule.ts"
import type { Mount, Plan } from "./SandboxPlan.ts"
import type { System } from "./SandboxSystem.ts"

export interface Inside {
  /** Absolute. */
  readonly program: string
  readonly network: "allow" | "deny"
  /** With those of the system. */
  readonly rules: ScopeRules
  readonly plan: Plan
  readonly system: System
  /** The pod's own directories that stay readable within hidden ones. */
  readonly own: ReadonlyArray<string>
  /** Other names of mounts: a scope that was written through links. */
  readonly aliases: ReadonlyArray<{ readonly path: string; readonly mount: Mount }>
  /** The directory behind /tmp, which lasts as long as the pod does. */
  readonly temporary: string | undefined
  /** Processes that may run at a time; undefined where the kernel does not count them per sandbox. */
  readonly maxProcesses: number | undefined
}

/** One step of bubblewrap's, at a path. */
interface Step {
  readonly path: string
  readonly arguments: ReadonlyArray<string>
  /** Made read-only when all that lies in it is mounted. */
  readonly closes?: boolean
}

const hiddenDirectory = (path: string): Step => ({
  path,
  // Who knows what lies in it can pass through: some of it may be mounted again.
  arguments: ["--perms", "0111", "--tmpfs", path],
  closes: true
})

const ofMount = ({ access, kind, path }: Mount, at = path): Step => {
  if (kind === "frame") return { path: at, arguments: ["--tmpfs", at], closes: true }
  // What vanishes before it is mounted is not seen; that is less, not more.
  if (access !== "hidden")
    return { path: at, arguments: [access === "write" ? "--bind-try" : "--ro-bind-try", path, at] }
  // A mount without devices: nobody can open it.
  return kind === "directory" ? hiddenDirectory(at) : { path: at, arguments: ["--ro-bind", "/dev/null", at] }
}

const depth = (path: string): number => Lexical.components(path).length

const namespaces = (network: "allow" | "deny"): ReadonlyArray<string> => [
  "--unshare-user-try",
  "--unshare-ipc",
  "--unshare-pid",
  "--unshare-uts",
  "--unshare-cgroup-try",
  ...(network === "deny" ? ["--unshare-net"] : []),
  // Root would keep its power over mounts.
  "--cap-drop",
  "ALL",
  "--die-with-parent",
  "--new-session"
]

/** Nothing of the scope lies at the path or below it. */
const isFree = (mounts: ReadonlyArray<Mount>, path: string): boolean =>
  mounts.every((mount) => !Lexical.isWithin(mount.path, path))

const steps = (
  { aliases, own, plan, rules, system, temporary }: Inside,
  home: string | undefined
): ReadonlyArray<Step> => {
  const isOutside = (path: string) => Scope.permission(rules, path) === "none"
  const everywhere = { allow: [{ target: "/", permission: "read", recursive: true } as const], deny: rules.deny }
  const isDenied = (path: string) => Scope.permission(everywhere, path) === "none"
  const found: Array<Step> = plan.mounts.map((mount) => ofMount(mount))
  for (const { path, real, text } of system.links) {
    if (!isOutside(path) || isDenied(path) || isDenied(real)) continue
    found.push({ path, arguments: text === undefined ? ["--ro-bind-try", real, path] : ["--symlink", text, path] })
  }
  if (isOutside("/tmp")) {
    // Commands can put links into a directory that lasts, and mounts below it would follow them.
    const lasts = temporary !== undefined && isFree(plan.mounts, "/tmp")
    found.push({ path: "/tmp", arguments: lasts ? ["--bind", temporary, "/tmp"] : ["--tmpfs", "/tmp"] })
  }
  if (isOutside("/var/tmp") && isFree(plan.mounts, "/var/tmp")) {
    found.push({ path: "/var/tmp", arguments: ["--symlink", "/tmp", "/var/tmp"] })
  }
  if (home !== undefined && home !== "/" && isOutside(home) && !isDenied(home) && !Lexical.isWithin(home, "/tmp")) {
    found.push({ path: home, arguments: ["--tmpfs", home] })
  }
  for (const { mount, path } of aliases) found.push(ofMount(mount, path))
  for (const path of own) found.push({ path, arguments: ["--ro-bind-try", path, path] })
  found.push({ path: "/proc", arguments: ["--proc", "/proc"] }, { path: "/dev", arguments: ["--dev", "/dev"] })
  for (const path of system.kernel) found.push({ path, arguments: ["--ro-bind-try", path, path] })
  return found.toSorted((a, b) => depth(a.path) - depth(b.path))
}

/** The limit is set inside, where only the processes of this sandbox are counted. */
const limited = (maxProcesses: number | undefined, command: ReadonlyArray<string>): ReadonlyArray<string> =>
  maxProcesses === undefined
    ? command
    : ["bash", "-c", `ulimit -u ${maxProcesses} 2>/dev/null; exec "$0" "$@"`, ...command]

export const wrap = (spec: LaunchSpec, inside: Inside): LaunchSpec => {
  const { HOME: home, TMPDIR: temporary, ...rest } = spec.env
  const found = steps(inside, home === undefined || !Lexical.isAbsolute(home) ? undefined : Lexical.normalize(home))
  const isRoot = found.some(({ path }) => path === "/")
  const closing = found.filter(({ closes }) => closes === true).toReversed()
  const keepsTemporary =
    temporary !== undefined && Scope.permission(inside.rules, Lexical.normalize(temporary)) === "write"
  return {
    ...spec,
    command: inside.program,
    args: [
      ...(spec.reportsInit === true ? ["--info-fd", "3"] : []),
      ...namespaces(inside.network),
      ...found.flatMap((step) => step.arguments),
      ...closing.flatMap(({ path }) => ["--remount-ro", path]),
      ...(isRoot ? [] : ["--remount-ro", "/"]),
      "--chdir",
      spec.cwd,
      "--",
      ...limited(inside.maxProcesses, [spec.command, ...spec.args])
    ],
    env: {
      ...rest,
      ...(home === undefined ? {} : { HOME: home }),
      ...(keepsTemporary ? { TMPDIR: temporary } : {})
    }
  }
}
