/**
 * What a call is about, as the permissions judge it: a command by what it runs, a file tool by the place that its path
 * really names, a page by the URL that is asked for, anything else by the text of its arguments.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import { type Judged, permissionTarget, plainSubject } from "../manifest/PermissionRules.ts"
import type { ShellSubjects, Subject } from "../manifest/ShellCommands.ts"
import { readable } from "../manifest/Wildcard.ts"
import type { ParseShell, ShellSyntax, Template } from "../runtime/ShellSyntax.ts"
import * as Lexical from "../scope/Lexical.ts"
import type { Resolution } from "../scope/Resolve.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"

export interface Target extends Judged {
  /**
   * What an answer for the session is remembered for: another spelling of the same place is the same. Undefined for what
   * could not be judged.
   */
  readonly remembered: string | undefined
}

export interface TargetsOptions {
  readonly whereAre: ScopedFsShape["whereAre"]
  /** Where the pod works; a real path. */
  readonly cwd: string
  readonly shell: ShellSyntax["Service"]
}

export type Targets = (tool: string, args: Schema.JsonObject) => Effect.Effect<Target>

/** UTF-16 units of a target that are judged: every rule goes through all of them, and nothing else runs meanwhile. */
const maxLength = 128 * 1024

/** The built-in tools whose target is a path, and the argument that holds it. */
const pathArguments: { readonly [tool: string]: string } = {
  Read: "file_path",
  Write: "file_path",
  Edit: "file_path",
  Glob: "path",
  Grep: "path"
}

/** The argument that other built-in tools read: one that they ignore must not be taken for it. */
const textArguments: { readonly [tool: string]: string } = { Bash: "command", WebFetch: "url", WebSearch: "query" }

/** What is asked for, in the one spelling that URLs have; a rule that denies also meets those that mean the same. */
const page = (tool: string, text: string): Judged["subjects"][number] => {
  const url = new URL(text)
  const { href, origin } = url
  url.hostname = url.hostname.replace(/\.$/, "")
  const plain = href.replace(/%[2-7][0-9a-f]/gi, (one) => String.fromCharCode(Number.parseInt(one.slice(1), 16)))
  return {
    tool,
    text,
    written: [[href], ...(href === `${origin}/` ? [[origin]] : [])],
    also: [[text], [url.href], [plain]]
  }
}

/** Any text may stand for it, so only a rule that allows everything lets it through. */
const tooLong = (tool: string): Judged["subjects"][number] => ({
  tool,
  text: `it cannot be judged: it is longer than ${maxLength} characters`,
  written: [[null]],
  also: []
})

/** What is not known of a path may lead out of all that is known of it. */
const fixed = ({ isPlaced, path }: ShellSubjects["files"][number]): string | undefined => {
  const known = path.length === 1 && path[0] != null ? path[0] : undefined
  return known !== undefined && (isPlaced || Lexical.isAbsolute(known)) ? known : undefined
}

export const make = (options: TargetsOptions): Targets => {
  const { cwd, shell } = options

  const absolute = (path: string): string => (Lexical.isAbsolute(path) ? path : Lexical.join(cwd, path))

  /** What a disk does not tell in time is as unknown as what leads nowhere. */
  const places = Effect.fnUntraced(function* (paths: ReadonlyArray<string>) {
    const found = yield* Effect.result(options.whereAre(paths.map(absolute)))
    return paths.map((path, i) => placeOf(path, Result.isSuccess(found) ? found.success[i] : undefined))
  })

  const placeOf = (path: string, found: Resolution | undefined): Subject => {
    const plain = Lexical.normalize(absolute(path))
    const also: ReadonlyArray<Template> = [[path], [plain], ...inside(plain)]
    switch (found?._tag) {
      case "Existing":
      case "Missing":
        return { text: found.real, written: [[found.real], ...inside(found.real)], also }
      case "BrokenLink":
        return { text: found.link, written: [[null]], also: [...also, [found.link]] }
      case "Unresolvable":
      case undefined:
        return { text: plain, written: [[null]], also }
    }
  }

  /** The same place as seen from the working directory, if it lies in there. */
  const inside = (path: string): ReadonlyArray<Template> =>
    Lexical.isWithin(path, cwd) ? [[path === cwd ? "." : Lexical.relative(path, cwd)]] : []

  const redirected = Effect.fnUntraced(function* (files: ShellSubjects["files"]) {
    const known = Array.from(new Set(files.flatMap((file) => fixed(file) ?? [])))
    const found = known.length === 0 ? [] : yield* places(known)
    const subjects = new Map(known.map((path, i) => [path, found[i]]))
    return files.map((file) => {
      const tool = file.access === "write" ? "Write" : "Read"
      const text = `a command that ${file.access === "write" ? "writes" : "reads"} ${readable(file.path)}`
      const path = fixed(file)
      const subject = path === undefined ? undefined : subjects.get(path)
      return { ...(subject ?? { written: [[null]], also: [] }), tool, text }
    })
  })

  const command = Effect.fnUntraced(function* (tool: string, text: string): Effect.fn.Return<Target> {
    const parse: ParseShell = yield* shell.parser
    // Like the parser, only for a pod whose commands are judged.
    const { shellSubjects } = yield* Effect.promise(() => import("../manifest/ShellCommands.ts"))
    const { commands, files } = shellSubjects(text, parse)
    const subjects = [...commands.map((subject) => ({ ...subject, tool })), ...(yield* redirected(files))]
    return { target: text, remembered: text, subjects, script: { tool, text } }
  })

  return Effect.fnUntraced(function* (tool, args) {
    const read = textArguments[tool] ?? pathArguments[tool]
    const named = read === undefined ? undefined : args[read]
    const target = typeof named === "string" ? named : permissionTarget(args)
    if (target.length > maxLength) return { target, remembered: undefined, subjects: [tooLong(tool)] }
    if (tool === "Bash" && typeof args["command"] === "string") return yield* command(tool, target)
    const key = pathArguments[tool]
    const path = key === undefined ? undefined : args[key]
    if (typeof path === "string") {
      const [subject = placeOf(path, undefined)] = yield* places([path])
      return { target, remembered: subject.text, subjects: [{ ...subject, tool }] }
    }
    if (tool === "WebFetch" && URL.canParse(target))
      return { target, remembered: target, subjects: [page(tool, target)] }
    const plain = plainSubject(tool, target)
    // A search that names no place is made in the working directory.
    if (tool === "Grep" || tool === "Glob") {
      // Quoted, so that an answer for a pattern is never one for a path.
      const remembered = `${JSON.stringify(target)} in ${cwd}`
      return { target, remembered, subjects: [{ ...plain, also: [[cwd], ["."]] }] }
    }
    return { target, remembered: target, subjects: [plain] }
  })
}
