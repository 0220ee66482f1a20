/**
 * From a scope to mounts. A mount holds for everything below it, until the next one; a scope can say more than that.
 * What mounts cannot say is made narrower, never wider:
 *
 * - A flat deny holds for all that lies below its target.
 * - A flat allow shows the files that are there now. Directories below are hidden, and nothing new can be made.
 * - What is denied and not there yet (or is reached through a link) must not come into being: its directory becomes
 *   read-only, and what lies in there is mounted again as the scope has it.
 *
 * A directory can be renamed together with the mounts in it, and a rule that names the old path would be void for the
 * next command. So every directory between a writable mount and a mount in it becomes a mount of its own: the kernel
 * renames no mount point.
 */
import type { ScopeRule, ScopeRules } from "../../src/protocol/ScopeRule.ts"
import * as Lexical from "../../src/scope/Lexical.ts"
import * as Scope from "../../src/scope/Scope.ts"

export interface Mount {
  readonly path: string
  readonly access: "read" | "write" | "hidden"
  /** `frame`: an empty read-only directory that holds nothing but the mounts below it. */
  readonly kind: "directory" | "file" | "frame"
}

export interface Plan {
  /** Directories before what lies in them. */
  readonly mounts: ReadonlyArray<Mount>
  /** Where this is less than the scope, and why. */
  readonly narrower: ReadonlyArray<string>
}

/** What lies at a path, links not followed. Sockets, pipes and devices count as files. */
export type Kind = "directory" | "file" | "link" | "missing"

export interface Disk {
  readonly kind: (path: string) => Kind
  /** The names in a directory; undefined if it cannot be listed, or has too many. */
  readonly children: (path: string) => ReadonlyArray<string> | undefined
}

/** The first part of the path that is no plain directory, or the path itself. */
const firstOther = (disk: Pick<Disk, "kind">, path: string): { readonly at: string; readonly kind: Kind } => {
  let at = "/"
  for (const name of Lexical.components(path)) {
    at = Lexical.join(at, name)
    const kind = disk.kind(at)
    if (kind !== "directory") return { at, kind }
  }
  return { at, kind: "directory" }
}

/** What lies at the path, if no part of it is a link. */
export const plain = (disk: Pick<Disk, "kind">, path: string): "directory" | "file" | undefined => {
  const { at, kind } = firstOther(disk, path)
  return at === path && (kind === "directory" || kind === "file") ? kind : undefined
}

export const byDepth = (a: string, b: string): number => Lexical.depth(a) - Lexical.depth(b) || (a < b ? -1 : 1)

/** The nearest of `mounts` above the path. */
const above = (mounts: ReadonlyMap<string, Mount>, path: string): Mount | undefined => {
  for (let at = Lexical.parent(path); at !== ""; at = Lexical.parent(at)) {
    const mount = mounts.get(at)
    if (mount !== undefined) return mount
  }
  return undefined
}

/** What a command finds at a path: nothing, or what the nearest mount gives. */
export const effective = (plan: Plan, path: string): Scope.Access => {
  const mounts = new Map(plan.mounts.map((mount) => [mount.path, mount]))
  const mount = mounts.get(path) ?? above(mounts, path)
  if (mount === undefined || mount.access === "hidden") return "none"
  return mount.kind !== "directory" && mount.path !== path ? "none" : mount.access
}

const makePlan = (rules: ScopeRules, disk: Disk) => {
  const narrower: Array<string> = []
  const allow: Array<ScopeRule> = []
  const frames: Array<ScopeRule> = []
  for (const rule of rules.allow) {
    const kind = plain(disk, rule.target)
    if (rule.recursive || kind !== "directory") {
      allow.push({ ...rule, recursive: true })
      if (kind === undefined) narrower.push(`${rule.target} is not there, or is a link: commands do not see it`)
      continue
    }
    frames.push(rule)
    narrower.push(`${rule.target} [non-recursive]: commands see the files that are in it, and make no new ones`)
    for (const name of disk.children(rule.target) ?? []) {
      const target = Lexical.join(rule.target, name)
      if (disk.kind(target) === "file") allow.push({ ...rule, target, recursive: true })
    }
  }
  const deny = rules.deny.map((rule) => ({ ...rule, recursive: true }))
  for (const rule of rules.deny) {
    if (!rule.recursive) narrower.push(`the denial of ${rule.target} [non-recursive] holds for all below it`)
  }
  const permission = (path: string) => Scope.permission({ allow, deny }, path)

  const points = new Map<string, "directory" | "file">()
  const add = (path: string) => {
    const kind = plain(disk, path)
    if (kind !== undefined) points.set(path, kind)
  }
  for (const { target } of [...allow, ...deny]) add(target)

  const sealed = new Set<string>()
  /** These are mounted although nothing changes: so that they cannot be replaced. */
  const pinned = new Set<string>()
  for (const { target } of deny) {
    const { at, kind } = firstOther(disk, target)
    if (kind === "directory" || (kind === "file" && at === target)) continue
    const directory = Lexical.parent(at)
    if (permission(directory) !== "write") continue
    if (kind === "file") {
      add(at)
      pinned.add(at)
      continue
    }
    if (sealed.has(directory)) continue
    sealed.add(directory)
    add(directory)
    narrower.push(
      `${directory}: commands make nothing new in it, so that ${at} stays ${kind === "link" ? "as it is" : "away"}`
    )
    const names = disk.children(directory)
    if (names === undefined) narrower.push(`${directory} has too many entries: commands only read it`)
    for (const name of names ?? []) add(Lexical.join(directory, name))
  }

  const mounts = new Map<string, Mount>()
  for (const { target } of frames) {
    const isVisible = Scope.permission({ allow: rules.allow, deny }, target) !== "none"
    if (isVisible && permission(target) === "none") {
      mounts.set(target, { path: target, access: "read", kind: "frame" })
    }
  }
  for (const path of Array.from(points.keys()).toSorted(byDepth)) {
    if (mounts.has(path)) continue
    const granted = permission(path)
    const access = granted === "none" ? "hidden" : sealed.has(path) ? "read" : granted
    const cover = above(mounts, path)
    const covered = cover === undefined || cover.kind === "frame" ? "hidden" : cover.access
    if (access === covered && !pinned.has(path)) continue
    mounts.set(path, { path, access, kind: points.get(path) ?? "file" })
  }
  for (const path of Array.from(mounts.keys())) {
    const cover = above(mounts, path)
    if (cover?.access !== "write") continue
    for (let at = Lexical.parent(path); at !== cover.path; at = Lexical.parent(at)) {
      if (!mounts.has(at)) mounts.set(at, { path: at, access: "write", kind: "directory" })
    }
  }
  return {
    mounts: Array.from(mounts.values()).toSorted((a, b) => byDepth(a.path, b.path)),
    narrower: Array.from(new Set(narrower))
  }
}

/** More would not fit into one command line. */
export const maxMounts = 1000

/** `rules` have real paths. */
export const plan = (rules: ScopeRules, disk: Disk): Plan => {
  const whole = makePlan(rules, disk)
  if (whole.mounts.length <= maxMounts) return whole
  // Nothing is mounted again in a directory that became read-only, and no file of a flat rule is shown.
  const less = makePlan(rules, { kind: disk.kind, children: () => undefined })
  return less.mounts.length <= maxMounts
    ? less
    : { mounts: [], narrower: ["the scope comes to too many mounts: commands see nothing of it"] }
}
