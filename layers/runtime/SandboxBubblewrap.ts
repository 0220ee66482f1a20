/**
 * `Sandbox` on bubblewrap: a mount namespace made of the scope, a pid namespace that ends whole, no privileges, and no
 * network where the policy says so.
 *
 * Each command gets mounts of its own, made from the scope of that moment. Nothing of the system is changed.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EffectScope from "effect/Scope"
import * as NFS from "node:fs"
import * as OS from "node:os"
import * as Path from "node:path"
import type { SandboxReport } from "../../src/protocol/Greeting.ts"
import type { ScopeRule, ScopeRules } from "../../src/protocol/ScopeRule.ts"
import { Launcher, type LaunchSpec } from "../../src/runtime/Launcher.ts"
import { type Fence, type FencedScope, Sandbox, SandboxError, type SandboxPolicy } from "../../src/runtime/Sandbox.ts"
import * as Lexical from "../../src/scope/Lexical.ts"
import * as Scope from "../../src/scope/Scope.ts"
import { type Inside, wrap } from "./SandboxArguments.ts"
import * as Descriptors from "./SandboxDescriptors.ts"
import * as Disk from "./SandboxDisk.ts"
import * as None from "./SandboxNone.ts"
import { effective, plan } from "./SandboxPlan.ts"
import { type Probed, probe } from "./SandboxProbe.ts"
import * as Reader from "./SandboxReader.ts"
import * as Seccomp from "./SandboxSeccomp.ts"
import * as System from "./SandboxSystem.ts"

export interface SandboxOptions {
  /** Absolute; what commands never see, wherever the scope reaches: the program's own data, settings and sockets. */
  readonly hidden: ReadonlyArray<string>
  /** Where `bwrap` is looked for. Default: the PATH of this process. */
  readonly searchPath?: string
  /** For which system calls are filtered, as in `process.arch`. Default: that of this process. */
  readonly architecture?: string
}

/** Enough for a large build; a fork bomb is stopped by it. */
const maxProcesses = 4096

const maxShown = 32

const read = (target: string): ScopeRule => ({ target, permission: "read", recursive: true })

/** Processes are counted for each user namespace since Linux 5.14, and root's are not bounded. */
const countsProcesses = (): boolean => {
  const [major = 0, minor = 0] = OS.release().split(".").map(Number)
  return process.getuid?.() !== 0 && (major > 5 || (major === 5 && minor >= 14))
}

const realOf = (path: string): string | undefined => {
  try {
    return NFS.realpathSync.native(path)
  } catch {
    return undefined
  }
}

/** Of this program and of others like it, where the temporary directory lies in a scope. */
const temporaries = (): ReadonlyArray<string> => {
  const directories = Array.from(new Set(["/tmp", OS.tmpdir()]))
  const ours = new RegExp(`^effect-pod-(pipes-.*|${process.getuid?.() ?? "user"})$`)
  return directories.flatMap((directory) => {
    try {
      return NFS.readdirSync(directory)
        .filter((name) => ours.test(name))
        .map((name) => Path.join(directory, name))
    } catch {
      return []
    }
  })
}

/** It could come into being in the scope: it is made, or its directory would have to become read-only to keep it away. */
const isToCome = (rules: ScopeRules, path: string): boolean =>
  Scope.permission(rules, path) === "write" && !NFS.existsSync(path)

const makeEmpty = (path: string): void => {
  try {
    NFS.mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch {
    // Then the plan is narrower.
  }
}

/** Where services of the machine listen, in sockets that may be spoken to by whoever may read them. */
const services = "/run"

const programsAmongServices = "/run/current-system"

/** A scope that reaches far, and names nothing there, means the files of the machine and not its services. */
const hidesServices = ({ allow, deny }: ScopeRules): boolean =>
  Scope.permission({ allow, deny }, services) !== "none" &&
  !allow.some(({ target }) => Lexical.isWithin(target, services))

const servicesAreHidden = `${services}: commands see nothing of it, because services listen there; name in the scope what they need`

/** The rules of a command: the scope, the system to be read, and what is never seen. */
const withSystem = ({ rules }: FencedScope, system: System.System, hides: ReadonlyArray<string>): ScopeRules => {
  const hidden = [...hides, ...(hidesServices(rules) ? [services] : [])]
  const real = hidden.flatMap((path) => realOf(path) ?? [])
  return {
    allow: [...rules.allow, ...system.paths.map(read)],
    deny: [...rules.deny, ...Array.from(new Set([...hidden, ...real, ...temporaries()]), read)]
  }
}

const insideOf = (
  options: SandboxOptions,
  system: System.System,
  settings: Pick<Inside, "maxProcesses" | "network" | "program" | "strengths" | "temporary">,
  scope: FencedScope
): Inside => {
  const hidden = options.hidden.filter((path) => !isToCome(scope.rules, path))
  const rules = withSystem(scope, system, hidden)
  const planned = plan(rules, Disk.make())
  const hasServices = !hidesServices(scope.rules)
  const mounts = hasServices ? planned : { ...planned, narrower: [...planned.narrower, servicesAreHidden] }
  const aliases = scope.written.allow.flatMap(({ target }) => {
    const path = Lexical.normalize(target)
    const mount = mounts.mounts.find((one) => one.path === realOf(path))
    return mount === undefined || mount.path === path || effective(mounts, path) !== "none" ? [] : [{ path, mount }]
  })
  return {
    ...settings,
    rules,
    plan: mounts,
    system,
    own: hasServices ? scope.own : [...scope.own, programsAmongServices],
    aliases
  }
}

const nothing: FencedScope = { rules: { allow: [], deny: [] }, written: { allow: [], deny: [] }, own: [] }

const trial: LaunchSpec = {
  command: "bash",
  args: ["-c", "exit 0"],
  cwd: "/",
  env: { PATH: "/usr/local/bin:/usr/bin:/bin" }
}

const reportOf = (
  { network, plan: { mounts, narrower }, system }: Inside,
  weaker: ReadonlyArray<string>
): SandboxReport => {
  const isSystem = new Set(system.paths)
  const shown = mounts.filter(({ path }) => !isSystem.has(path))
  const reach = network === "allow" ? "the network of this machine with its abstract sockets" : "no network"
  return {
    mode: "bubblewrap",
    enforced: true,
    reason:
      `Commands run in a sandbox: they see the scope, the system's programs read-only, a /tmp of the pod's own, an ` +
      `empty home directory, and ${reach}.`,
    network,
    mounts: shown.slice(0, maxShown).map(({ access, path }) => ({ path, access })),
    ...(narrower.length === 0 ? {} : { narrower: narrower.slice(0, maxShown) }),
    ...(weaker.length === 0 ? {} : { weaker })
  }
}

const refusal = ({ hint, why }: Probed & { readonly usable: false }): SandboxError =>
  new SandboxError({
    message: `sandbox.mode = "required", but there is no usable sandbox: ${why}`,
    hint: `${hint}; or set sandbox.mode to "auto" or "off" if unfenced commands are acceptable`
  })

/**
 * The directory behind /tmp, made with the first command: the launcher starts its watcher only then. It goes with the
 * Scope. Somebody may have tidied it away in between; then there is a new one.
 */
const temporaryOf = Effect.fnUntraced(function* (launcher: Launcher["Service"]) {
  let path: string | undefined
  yield* Effect.addFinalizer(() =>
    Effect.ignore(Effect.try(() => path !== undefined && NFS.rmSync(path, { recursive: true, force: true })))
  )
  return {
    /** Undefined where none can be made: each command then has a /tmp for itself. */
    ready: Effect.flatMap(launcher.directory, (directory) =>
      Effect.try(() => {
        if (path === undefined || !NFS.existsSync(path)) path = NFS.mkdtempSync(Path.join(directory, "tmp-"))
        return path
      })
    ).pipe(Effect.orElseSucceed(() => undefined))
  }
})

/** Opened once, for all commands; or why there is none. */
const filterFor = (architecture: string, scope: EffectScope.Scope) => {
  const bytes = Seccomp.program(architecture)
  if (bytes === undefined)
    return Effect.succeed({ filter: undefined, lacks: { filter: `there is no filter for ${architecture}` } })
  return Descriptors.unnamed(bytes).pipe(
    EffectScope.provide(scope),
    Effect.map((filter) => ({ filter, lacks: {} })),
    Effect.catch(({ message }) => Effect.succeed({ filter: undefined, lacks: { filter: message } }))
  )
}

const make = Effect.fnUntraced(function* (options: SandboxOptions) {
  const launcher = yield* Launcher
  const searchPath = options.searchPath ?? process.env["PATH"] ?? ""
  const system = yield* Effect.cached(Effect.sync(System.look))

  const filter = yield* Effect.cached(filterFor(options.architecture ?? process.arch, yield* Effect.scope))

  const tried = (network: SandboxPolicy["network"]) =>
    Effect.flatMap(Effect.all([system, filter]), ([found, wanted]) =>
      probe(searchPath, wanted, (program, strengths) =>
        wrap(
          trial,
          insideOf(
            options,
            found,
            { program, network, strengths, temporary: undefined, maxProcesses: undefined },
            nothing
          )
        )
      )
    ).pipe(Effect.cached)
  const probes = { allow: yield* tried("allow"), deny: yield* tried("deny") }

  const fenceOf = Effect.fnUntraced(function* (
    { program, strengths, weaker }: Probed & { readonly usable: true },
    { mode, network }: SandboxPolicy
  ) {
    const found = yield* system
    const temporary = yield* temporaryOf(launcher)
    const settings = { program, network, strengths, maxProcesses: countsProcesses() ? maxProcesses : undefined }
    return {
      report: (scope) =>
        Effect.sync(() => reportOf(insideOf(options, found, { ...settings, temporary: undefined }, scope), weaker)),
      wrap: Effect.fnUntraced(function* (spec, scope) {
        const place = yield* temporary.ready
        for (const path of options.hidden) if (isToCome(scope.rules, path)) makeEmpty(path)
        const inside = insideOf(options, found, { ...settings, temporary: place }, scope)
        if (effective(inside.plan, spec.cwd) === "none" && NFS.existsSync(spec.cwd)) {
          return yield* new SandboxError({
            message: `${spec.cwd} cannot be the working directory of a command: it is not among the mounts of its sandbox.`
          })
        }
        return wrap({ ...spec, reportsInit: true }, inside)
      }),
      wrapReader: Reader.make({ launcher, system: found, bubblewrap: { program, strengths }, mode })
    } satisfies Fence
  })

  return Sandbox.of({
    open: Effect.fn("Sandbox.open")(function* (policy) {
      const { mode, network } = policy
      if (mode === "off") return None.fence("Bash is not fenced: the manifest has switched the sandbox off.")
      const probed = yield* probes[network]
      if (probed.usable) return yield* fenceOf(probed, policy)
      if (mode === "required") return yield* refusal(probed)
      return None.fence(`Bash is not fenced: ${probed.why} (${probed.hint}).`)
    })
  })
})

export const layer = (options: SandboxOptions): Layer.Layer<Sandbox, never, Launcher> =>
  Layer.effect(Sandbox, make(options))
