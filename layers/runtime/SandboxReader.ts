/**
 * The fence of a program that only reads, such as the search program: what may be read of the scope, the program itself,
 * and nothing else. Wherever a link leads that is swapped in on its way, there is nothing to be found outside.
 *
 * The mounts are those of the scope, all of them read-only. Other than for commands, flat rules are exact: nobody can
 * make anything behind this fence, so it is enough to look at the directories that are there. What comes into being while
 * the program runs is beyond mounts: whoever reads its results checks them again.
 */
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import * as Path from "node:path"
import type { ScopeRules } from "../../src/protocol/ScopeRule.ts"
import type { Launcher, LaunchSpec } from "../../src/runtime/Launcher.ts"
import { type Fence, type FencedReader, SandboxError, type SandboxPolicy } from "../../src/runtime/Sandbox.ts"
import * as Lexical from "../../src/scope/Lexical.ts"
import * as Scope from "../../src/scope/Scope.ts"
import { open, type Step } from "./SandboxArguments.ts"
import * as Disk from "./SandboxDisk.ts"
import { byDepth, type Disk as Kinds, maxMounts, plain } from "./SandboxPlan.ts"
import { find, run } from "./SandboxProbe.ts"
import type { Strengths } from "./SandboxStrengths.ts"
import type { System } from "./SandboxSystem.ts"

export interface View {
  readonly path: string
  readonly kind: "directory" | "file"
  readonly isShown: boolean
}

export interface ReaderDisk extends Pick<Kinds, "kind"> {
  /** The directories directly in it, by name; undefined if it cannot be listed. */
  readonly directories: (path: string) => ReadonlyArray<string> | undefined
}

/** A file that no rule names. */
const anyFileIn = (directory: string): string => Lexical.join(directory, "\0")

const isShown = (rules: ScopeRules, path: string, kind: View["kind"]): boolean =>
  Scope.canRead(rules, kind === "file" ? path : anyFileIn(path))

/** So many directories in the target of a flat rule are mounted one by one. */
const maxDirectories = 256

/** Directories before what lies in them. `rules` have real paths. */
export const views = (
  rules: ScopeRules,
  disk: ReaderDisk
): { readonly views: ReadonlyArray<View>; readonly unseen: ReadonlyArray<string> } => {
  const points = new Map<string, View>()
  const unseen: Array<string> = []
  const add = (path: string, kind: View["kind"], shown = isShown(rules, path, kind)) => {
    if (!Lexical.isWithin(path, "/proc")) points.set(path, { path, kind, isShown: shown })
  }
  for (const { recursive, target } of [...rules.allow, ...rules.deny]) {
    const kind = plain(disk, target)
    if (kind === undefined) continue
    if (unseen.includes(target)) continue
    const isDeepShown = Scope.canRead(rules, anyFileIn(anyFileIn(target)))
    if (recursive || kind === "file" || isShown(rules, target, kind) === isDeepShown) {
      add(target, kind)
      continue
    }
    const names = disk.directories(target)
    const fits = names !== undefined && names.length <= maxDirectories
    for (const name of fits ? names : []) add(Lexical.join(target, name), "directory")
    if (!fits) unseen.push(target)
    add(target, kind, fits && isShown(rules, target, kind))
  }
  const found = new Map<string, View>()
  const covers = (path: string): boolean => {
    for (let at = Lexical.parent(path); at !== ""; at = Lexical.parent(at)) {
      const view = found.get(at)
      if (view !== undefined) return view.isShown
    }
    return false
  }
  for (const path of Array.from(points.keys()).toSorted(byDepth)) {
    const view = points.get(path) as View
    if (view.isShown !== covers(path)) found.set(path, view)
  }
  return { views: Array.from(found.values()), unseen }
}

const readOnly = (path: string): Step => ({ path, arguments: [], binds: { source: path, access: "read" } })

/** `empty` is a file without content: what a directory says is a file is opened, and must be one. */
const ofView = ({ isShown: shown, kind, path }: View, empty: string): Step => {
  if (!shown && kind === "directory") return { path, arguments: ["--tmpfs", path] }
  return shown ? readOnly(path) : { path, arguments: ["--ro-bind-try", empty, path] }
}

/** What programs that are linked to libraries of the system need besides themselves. */
const ofSystem = (rules: ScopeRules, { links, paths }: System): ReadonlyArray<Step> => [
  ...paths
    .filter((path) => !Scope.canRead(rules, path))
    .map((path) => ({ path, arguments: ["--ro-bind-try", path, path] })),
  ...links.flatMap(({ path, text }) =>
    text === undefined || Scope.canRead(rules, path) ? [] : [{ path, arguments: ["--symlink", text, path] }]
  )
]

/** Its real path, if it is there. */
const programOf = ({ command, env }: LaunchSpec): string | undefined => {
  const path = Lexical.isAbsolute(command) ? command : find(command, env["PATH"] ?? "")
  try {
    return path === undefined ? undefined : NFS.realpathSync(path)
  } catch {
    return undefined
  }
}

interface Inside {
  /** The program that makes the fence, and what it can do here. */
  readonly bubblewrap: { readonly program: string; readonly strengths: Strengths }
  /** The program in it. */
  readonly program: string
  readonly network: SandboxPolicy["network"]
  readonly empty: string
  /** To be seen besides. */
  readonly system: System | undefined
}

/** Undefined if the rules come to too many mounts. */
const wrap = (spec: LaunchSpec, rules: ScopeRules, inside: Inside): FencedReader | undefined => {
  const { bubblewrap, network, program, system } = inside
  const found = views(rules, { kind: Disk.make().kind, directories: Disk.directoriesIn })
  if (found.views.length > maxMounts) return undefined
  const steps: ReadonlyArray<Step> = [
    ...(system === undefined ? [] : ofSystem(rules, system)),
    ...found.views.map((view) => ofView(view, inside.empty)),
    // The processes of this fence and the kernel's own files: nobody's environment. ripgrep asks it for times.
    { path: "/proc", arguments: ["--proc", "/proc"] },
    readOnly(program)
  ]
  return {
    unseen: found.unseen,
    spec: {
      ...spec,
      command: bubblewrap.program,
      args: [
        ...(spec.reportsInit === true ? ["--info-fd", "3"] : []),
        "--chdir",
        spec.cwd,
        "--",
        program,
        ...spec.args
      ],
      opening: open(
        steps.toSorted((a, b) => byDepth(a.path, b.path)),
        { network, strengths: bubblewrap.strengths }
      )
    }
  }
}

/** It goes with the program. Somebody may have tidied it away in between. */
const emptyFile = (launcher: Launcher["Service"]): Effect.Effect<string, SandboxError> =>
  Effect.flatMap(launcher.directory, (directory) =>
    Effect.try({
      try: () => {
        const path = Path.join(directory, "empty")
        NFS.writeFileSync(path, "", { flag: "a", mode: 0o600 })
        return path
      },
      catch: String
    })
  ).pipe(
    Effect.mapError(
      (error) =>
        new SandboxError({
          message: `The sandbox of a search cannot be made: ${typeof error === "string" ? error : error.message}`
        })
    )
  )

const nothing: ScopeRules = { allow: [], deny: [] }

/**
 * What a program needs in order to run in there is found out by running it, once for each fence. It gets no network; where
 * the kernel lets nobody have a network of their own, that is all it can do without.
 */
export const make = (options: {
  readonly launcher: Launcher["Service"]
  readonly system: System
  readonly bubblewrap: Inside["bubblewrap"]
  readonly mode: SandboxPolicy["mode"]
}): Fence["wrapReader"] => {
  const { bubblewrap, launcher, mode } = options
  const known = new Map<string, Omit<Inside, "empty"> | undefined>()
  const tryOut = Effect.fnUntraced(function* (program: string) {
    for (const network of ["deny", "allow"] as const) {
      for (const libraries of [undefined, options.system]) {
        const inside = { bubblewrap, program, network, system: libraries }
        const spec = { command: program, args: ["--version"], cwd: "/", env: {} }
        const trial = wrap(spec, nothing, { ...inside, empty: "" })
        if (trial !== undefined && (yield* run(trial.spec)) === undefined) return inside
      }
    }
    return undefined
  })
  return Effect.fnUntraced(function* (spec, rules) {
    const program = programOf(spec)
    if (program === undefined) return undefined
    if (!known.has(program)) known.set(program, yield* tryOut(program))
    const inside = known.get(program)
    if (inside !== undefined) {
      const fenced = wrap({ ...spec, reportsInit: true }, rules, { ...inside, empty: yield* emptyFile(launcher) })
      if (fenced !== undefined) return fenced
      return yield* new SandboxError({ message: "The scope comes to too many mounts for the sandbox of a search." })
    }
    if (mode !== "required") return undefined
    return yield* new SandboxError({
      message: `sandbox.mode = "required", and ${program} does not run in the sandbox`,
      hint: 'install the package @vscode/ripgrep for this platform, or set sandbox.mode to "auto"'
    })
  })
}
