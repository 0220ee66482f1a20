/**
 * Keeps the house in order. A room may use the rooms of the rows above its own, never a neighbour and never one below;
 * the core knows no Node, no vendor and no clock but Effect's; a file stays short enough to be read in one go.
 *
 * It reads syntax trees, so comments and strings may say what code may not.
 *
 *   node scripts/check-boundaries.mjs [DIRECTORY]
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, posix, relative, sep } from "node:path"
import { parseSync } from "rolldown/utils"
import { isMain, root } from "./project.mjs"

const rows = [
  ["Version.ts"],
  ["protocol"],
  ["scope", "runtime"],
  ["session", "manifest", "llm", "web"],
  ["tools", "knowledge", "hooks"],
  ["agent"],
  ["pod"],
  ["orchestration", "server", "ai"]
]

/** These put the core and the outside world together. They are no part of the core, and nothing else may use them. */
const edge = new Set(["main.ts", "cli"])

/** Packages that the core may import: pure ones, which read no clock, no file and no environment. */
const corePackages = ["effect", "ipaddr.js"]

const maxLines = 400

/** What the core may not say, and what it says instead. */
const bannedGlobals = {
  Buffer: "Uint8Array and TextEncoder",
  process: "a service, or an argument from the edge",
  require: "an import",
  setImmediate: "Effect.yieldNow",
  setInterval: "Schedule",
  setTimeout: "Effect.sleep"
}
const bannedMembers = {
  "crypto.getRandomValues": "Random",
  "crypto.randomUUID": "Ids",
  "Date.now": "Clock",
  "DateTime.nowUnsafe": "DateTime.now",
  "Math.random": "Random",
  "performance.now": "Clock"
}

const filesBelow = (directory) => {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return filesBelow(path)
    return /\.[cm]?[jt]sx?$/.test(entry.name) ? [path] : []
  })
}

const visit = (node, see, parent = undefined, field = undefined) => {
  if (node === null || typeof node !== "object") return
  if (Array.isArray(node)) {
    for (const child of node) visit(child, see, parent, field)
    return
  }
  if (typeof node.type !== "string") return
  see(node, parent, field)
  for (const [name, value] of Object.entries(node)) visit(value, see, node, name)
}

const isName = (node) => node?.type === "Identifier"

/** `a` of `a`, not of `x.a` or `{ a: x }`. */
const isReference = (node, parent, field) =>
  isName(node) && (parent?.computed === true || (field !== "property" && field !== "key"))

/** Names that the file gives itself, for example to a parameter: they are not the globals. */
const declaredNames = (program) => {
  const names = new Set()
  const take = (pattern) => visit(pattern, (node) => isName(node) && names.add(node.name))
  visit(program, (node) => {
    if (node.type === "VariableDeclarator") take(node.id)
    if (/^Import.*Specifier$/.test(node.type)) take(node.local)
    if (node.params !== undefined) take(node.params)
  })
  return names
}

const hiddenInput = (node, parent, field, declared) => {
  if (isReference(node, parent, field) && Object.hasOwn(bannedGlobals, node.name) && !declared.has(node.name)) {
    return [node.name, bannedGlobals[node.name]]
  }
  if (node.type === "MemberExpression" && isName(node.object) && isName(node.property)) {
    const whole = `${node.object.name}.${node.property.name}`
    if (Object.hasOwn(bannedMembers, whole)) return [whole, bannedMembers[whole]]
  }
  const isDate = node.callee?.type === "Identifier" && node.callee.name === "Date"
  if (isDate && node.type === "NewExpression" && node.arguments.length === 0) return ["new Date()", "DateTime.now"]
  if (isDate && node.type === "CallExpression") return ["Date()", "DateTime.now"]
  return undefined
}

const roomOf = (file) => file.split("/")[1]

const rowOf = (room) => rows.findIndex((row) => row.includes(room))

const isEdge = (file) => file.startsWith("src/") && edge.has(roomOf(file))

const isCore = (file) => file.startsWith("src/") && !isEdge(file)

/** A package is judged by name alone, a file by the room in which it lies. */
const importProblem = (file, specifier) => {
  if (!specifier.startsWith(".")) {
    const isPure = corePackages.some((name) => specifier === name || specifier.startsWith(`${name}/`))
    if (isPure || !isCore(file)) return undefined
    return `the core imports no package but ${corePackages.join(", ")}; what needs more is a service with a layer`
  }
  const target = posix.join(posix.dirname(file), specifier)
  if (isEdge(target)) {
    const isAllowed = roomOf(target) === "cli" ? isEdge(file) || file.startsWith("test/") : false
    return isAllowed ? undefined : "only src/main.ts and src/cli/ use the commands, and nothing uses src/main.ts"
  }
  if (!isCore(file)) return undefined
  if (!target.startsWith("src/")) return `the core does not know ${target.split("/")[0]}/`
  const [from, to] = [roomOf(file), roomOf(target)]
  if (from === to || from === "index.ts") return undefined
  if (to === "index.ts") return "src/index.ts is for the library's users; import the file that you need"
  if (rowOf(to) !== -1 && rowOf(to) < rowOf(from)) return undefined
  const allowed = rows.slice(0, Math.max(rowOf(from), 0)).flat()
  return `${from}/ may use ${allowed.length > 0 ? allowed.join(", ") : "no other room"}, and not ${to}/`
}

const problemsIn = (file, text) => {
  const problems = new Map()
  const report = (line, message) => problems.set(`${line} ${message}`, { file, line, message })
  const lineOf = (node) => text.slice(0, node.start).split("\n").length

  if (isCore(file) && roomOf(file) !== "index.ts" && rowOf(roomOf(file)) === -1) {
    report(1, `src/${roomOf(file)} is no room of the house: scripts/check-boundaries.mjs names them, with their order`)
  }
  const lines = text.replace(/\n$/, "").split("\n").length
  if (/^(src|layers|test)\//.test(file) && lines > maxLines) {
    report(maxLines + 1, `${lines} lines, at most ${maxLines}: split the file by concept`)
  }

  const { program, errors } = parseSync(file, text)
  if (errors.length > 0) report(1, `cannot be parsed: ${errors[0].message}`)
  const declared = declaredNames(program)
  visit(program, (node, parent, field) => {
    const specifier = node.source?.value
    const problem = typeof specifier === "string" ? importProblem(file, specifier) : undefined
    if (problem !== undefined) report(lineOf(node), `imports "${specifier}": ${problem}`)
    if (isName(node) && node.name === "forkDetach") {
      report(lineOf(node), "forkDetach: a fork has an owner (child, scope, FiberSet)")
    }
    const hidden = isCore(file) ? hiddenInput(node, parent, field, declared) : undefined
    if (hidden !== undefined)
      report(lineOf(node), `${hidden[0]}: hidden input, which no test controls; use ${hidden[1]}`)
  })
  return [...problems.values()]
}

/** @returns {ReadonlyArray<{ readonly file: string, readonly line: number, readonly message: string }>} */
export const checkBoundaries = (base) =>
  ["src", "layers", "test", "examples", "bench", "crash"]
    .flatMap((directory) => filesBelow(join(base, directory)))
    .flatMap((path) => problemsIn(relative(base, path).split(sep).join("/"), readFileSync(path, "utf8")))

if (isMain(import.meta.url)) {
  const problems = checkBoundaries(process.argv[2] ?? root)
  for (const { file, line, message } of problems) process.stdout.write(`${file}:${line}  ${message}\n`)
  process.exitCode = problems.length > 0 ? 1 : 0
}
