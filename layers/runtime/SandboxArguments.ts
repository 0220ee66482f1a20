/** From a plan of mounts to the command line of bubblewrap. */
import * as Effect from "effect/Effect"
import type { LaunchSpec, Opening } from "../../src/runtime/Launcher.ts"
import * as Lexical from "../../src/scope/Lexical.ts"
import * as Scope from "../../src/scope/Scope.ts"
import type { ScopeRules } from "../../src/protocol/ScopeRule.ts"
import * as Descriptors from "./SandboxDescriptors.ts"
import type { Mount, Plan } from "./SandboxPlan.ts"
import type { Strengths } from "./SandboxStrengths.ts"
import type { System } from "./SandboxSystem.ts"

export interface Inside {
  /** Absolute. */
  readonly program: string
  readonly network: "allow" | "deny"
  /** With those of the system. */
  readonly rules: ScopeRules
  readonly plan: Plan
  readonly strengths: Strengths
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
export interface Step {
  readonly path: string
  readonly arguments: ReadonlyArray<string>
  /** What is mounted at the path, instead of arguments. It is given open: by its name it could be another by then. */
  readonly binds?: { readonly source: string; readonly access: "read" | "write" }
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
  if (access !== "hidden") return { path: at, arguments: [], binds: { source: path, access } }
  // A mount without devices: nobody can open it.
  return kind === "directory" ? hiddenDirectory(at) : { path: at, arguments: ["--ro-bind", "/dev/null", at] }
}

const namespaces = (network: "allow" | "deny", { users }: Strengths): ReadonlyArray<string> => [
  ...(users ? ["--unshare-user", "--disable-userns"] : ["--unshare-user-try"]),
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
  return found.toSorted((a, b) => Lexical.depth(a.path) - Lexical.depth(b.path))
}

/**
 * Run by the shell before the command. What this program was started with open, and does not know of, goes no further: a
 * directory among it would be a way out. The limit is set in here, where only the processes of this sandbox are counted.
 */
const prologue = (maxProcesses: number | undefined): string => {
  const close =
    'for d in /proc/self/fd/*; do d=${d##*/}; case $d in [012]) ;; *) eval "exec $d>&-" ;; esac; done; unset d'
  const limit = maxProcesses === undefined ? "" : `ulimit -u ${maxProcesses} 2>/dev/null; `
  return `${close}; ${limit}exec "$0" "$@"`
}

/** The first of those that the program is given. */
const firstDescriptor = 4

/**
 * The fence itself, from steps that are sorted by depth. What vanishes before it is mounted, or is another by then, is not
 * seen; that is less, not more.
 */
export const open = Effect.fnUntraced(function* (
  found: ReadonlyArray<Step>,
  { network, strengths }: Pick<Inside, "network" | "strengths">
) {
  const descriptors: Array<number> = []
  const args: Array<string> = [...namespaces(network, strengths)]
  const give = (descriptor: number) => String(firstDescriptor + descriptors.push(descriptor) - 1)
  if (strengths.filter !== undefined) args.push("--seccomp", give(yield* Descriptors.again(strengths.filter)))
  for (const step of found) {
    if (step.binds === undefined) {
      args.push(...step.arguments)
      continue
    }
    const { access, source } = step.binds
    const bind = access === "write" ? "--bind" : "--ro-bind"
    if (!strengths.places) {
      args.push(`${bind}-try`, source, step.path)
      continue
    }
    const place = yield* Descriptors.place(source)
    if (place !== undefined) args.push(`${bind}-fd`, give(place), step.path)
  }
  const closing = found.filter(({ closes }) => closes === true).toReversed()
  for (const { path } of closing) args.push("--remount-ro", path)
  if (!found.some(({ path }) => path === "/")) args.push("--remount-ro", "/")
  return { args, descriptors } satisfies Opening
})

export const wrap = (spec: LaunchSpec, inside: Inside): LaunchSpec => {
  const { HOME: home, TMPDIR: temporary, ...rest } = spec.env
  const found = steps(inside, home === undefined || !Lexical.isAbsolute(home) ? undefined : Lexical.normalize(home))
  const keepsTemporary =
    temporary !== undefined && Scope.permission(inside.rules, Lexical.normalize(temporary)) === "write"
  return {
    ...spec,
    command: inside.program,
    args: [
      ...(spec.reportsInit === true ? ["--info-fd", "3"] : []),
      "--chdir",
      spec.cwd,
      "--",
      inside.system.shell,
      // It reads no file that a variable names, and takes no function from one.
      "-p",
      "-c",
      prologue(inside.maxProcesses),
      spec.command,
      ...spec.args
    ],
    opening: open(found, inside),
    env: {
      ...rest,
      ...(home === undefined ? {} : { HOME: home }),
      ...(keepsTemporary ? { TMPDIR: temporary } : {})
    }
  }
}
