/**
 * A model without a model: a few fixed rules, no network, no key. It is what a pod runs on when nothing is set up.
 *
 * An ordinary client: it gets the same request as any other, calls the tools that the request offers, and answers from
 * their results. It keeps no state; what it does next follows from the messages alone. It reports no tokens, for it
 * has none.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import type { LlmRequest } from "../../src/llm/LlmRequest.ts"
import * as CallIds from "./vendor/CallIds.ts"

export const provider = "offline"

const introduction =
  "I am the offline model that is built into effect-pod: a few fixed rules, no network, and no " +
  "language model behind them. For a real one, set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY and start again."

const abilities =
  'I understand plain requests: "look around", "read FILE", "list DIR", "search WORD" and "run COMMAND".'

interface Call {
  readonly name: string
  readonly args: Readonly<Record<string, string | number>>
}

/** What to say and what to call. Without calls it is the answer. */
interface Move {
  readonly say: string
  readonly calls: ReadonlyArray<Call>
}

interface Result {
  readonly text: string
  readonly isError: boolean
}

/** One conversation as this model sees it: the last request, and what the tools have said since. */
interface Scene {
  readonly wish: Wish
  readonly offers: (tool: string) => boolean
  /** Results by round of calls. */
  readonly rounds: ReadonlyArray<ReadonlyArray<Result>>
}

type Wish =
  | { readonly kind: "look" | "help" | "unknown" | "nothing" }
  | { readonly kind: "read"; readonly path: string }
  | { readonly kind: "list"; readonly directory: string }
  | { readonly kind: "search"; readonly word: string }
  | { readonly kind: "run"; readonly command: string }

const answer = (say: string): Move => ({ say, calls: [] })
const call = (say: string, ...calls: ReadonlyArray<Call>): Move => ({ say, calls })

// --- Understanding ---------------------------------------------------------------------------------------------------

const fillers = new Set(
  (
    "the a an file files directory folder dir me us contents content of in please for word text string all everything " +
    "my this that here is what and it everywhere with"
  ).split(" ")
)

/** The thing that a request is about: quoted, or marked with `@`, or like a path, or the first word that means anything. */
const operand = (rest: string): string => {
  const quoted = /["'`]([^"'`]+)["'`]/.exec(rest)?.[1]
  if (quoted !== undefined) return quoted
  const words = rest
    .split(/\s+/)
    .map((word) => word.replace(/[.,;:!?]+$/, ""))
    .filter((word) => word !== "")
  const marked = words.find((word) => word.startsWith("@"))
  if (marked !== undefined) return marked.slice(1)
  return (
    words.find((word) => /[./]/.test(word) && !fillers.has(word)) ??
    words.find((word) => !fillers.has(word.toLowerCase())) ??
    ""
  )
}

const understand = (text: string): Wish => {
  const wish = text.trim().replace(/^(please|can you|could you|would you|now|and|then)\s+/i, "")
  if (wish === "") return { kind: "nothing" }
  const run = /^(?:run|execute)\s+(?:the\s+command\s+|command\s+)?(.+)$/is.exec(wish)?.[1]?.trim()
  if (run !== undefined) {
    const command = /`([^`]+)`/.exec(run)?.[1] ?? run
    if (!/^(the|my|all|this|these|it)\b/i.test(command)) return { kind: "run", command }
  }
  const around =
    /look around|what(?:'s| is| do we have| have we got)(?: in)? (?:here|this)|where am i|overview|explore/i
  if (around.test(wish)) return { kind: "look" }
  const search = /\b(?:search|grep|look for|find|where is)\b\s*(.+)$/is.exec(wish)?.[1]
  if (search !== undefined) {
    const word = operand(search)
    if (word !== "") return { kind: "search", word }
  }
  const list = /\b(?:list|ls)\b\s*(.*)$/is.exec(wish)?.[1]
  if (list !== undefined) {
    const directory = operand(list)
    return directory === "" || directory === "." ? { kind: "look" } : { kind: "list", directory }
  }
  const read = /\b(?:read|show|open|cat|print|display|what(?:'s| is) in|what does)\b\s*(.+)$/is.exec(wish)?.[1]
  if (read !== undefined) {
    const path = operand(read)
    if (path.endsWith("/")) return { kind: "list", directory: path }
    if (path !== "") return { kind: "read", path }
  }
  return /\b(help|what can you|who are you|hello|hi)\b/i.test(wish) ? { kind: "help" } : { kind: "unknown" }
}

// --- Acting ----------------------------------------------------------------------------------------------------------

const decide = (scene: Scene): Move => {
  const { wish } = scene
  switch (wish.kind) {
    case "look":
      return look(scene)
    case "list":
      return list(scene, wish.directory.replace(/\/+$/, "") || "/")
    case "read":
      return read(scene, wish.path)
    case "search":
      return search(scene, wish.word)
    case "run":
      return run(scene, wish.command)
    case "help":
      return answer(abilities)
    case "nothing":
      return answer("I have taken note of that.")
    case "unknown":
      return answer(`That is beyond what I can do. ${abilities}`)
  }
}

const look = (scene: Scene): Move => {
  const [found, opened] = scene.rounds
  if (found === undefined) {
    if (scene.offers("Glob")) {
      return call(
        "Let me look around.",
        { name: "Glob", args: { pattern: "*" } },
        { name: "Glob", args: { pattern: "*/*" } }
      )
    }
    return scene.offers("Bash")
      ? call("Let me look around.", { name: "Bash", args: { command: "ls -la" } })
      : missing("Glob")
  }
  if (!scene.offers("Glob")) return answer(quote("This is what is here.", found[0]))
  const listing = describe(found)
  if (opened !== undefined)
    return answer(`${listing}\n\n${quote("The one that explains the rest begins like this.", opened[0])}`)
  const guide = paths(found[0]).find((path) =>
    /\/(readme(\.\w+)?|package\.json|cargo\.toml|pyproject\.toml)$/i.test(path)
  )
  return guide === undefined || !scene.offers("Read")
    ? answer(listing)
    : call(`I will read ${base(guide)}.`, { name: "Read", args: { file_path: guide, limit: 40 } })
}

const list = (scene: Scene, directory: string): Move => {
  const [found] = scene.rounds
  if (found !== undefined) return answer(describe(found))
  if (!scene.offers("Glob")) return missing("Glob")
  const within = directory.startsWith("/") ? { path: directory } : {}
  const prefix = directory.startsWith("/") ? "" : `${directory}/`
  return call(
    `Let me list ${directory}.`,
    { name: "Glob", args: { pattern: `${prefix}*`, ...within } },
    { name: "Glob", args: { pattern: `${prefix}*/*`, ...within } }
  )
}

const read = (scene: Scene, path: string): Move => {
  if (!scene.offers("Read")) return missing("Read")
  const direct = path.startsWith("/") || !scene.offers("Glob")
  const [first, second] = scene.rounds
  if (first === undefined) {
    return direct
      ? call(`Let me read ${path}.`, { name: "Read", args: { file_path: path } })
      : call(`Let me find ${path}.`, { name: "Glob", args: { pattern: `**/${path.replace(/^\.\//, "")}` } })
  }
  if (direct) return answer(quote(`This is ${path}.`, first[0]))
  const [nearest] = [...paths(first[0])].toSorted((a, b) => a.length - b.length)
  if (nearest === undefined) return answer(`I found no file ${path} here.`)
  return second === undefined
    ? call(`I will read ${nearest}.`, { name: "Read", args: { file_path: nearest } })
    : answer(quote(`This is ${nearest}.`, second[0]))
}

const search = (scene: Scene, word: string): Move => {
  const [found] = scene.rounds
  if (found !== undefined) return answer(quote(`This is where "${word}" stands.`, found[0]))
  const pattern = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  return scene.offers("Grep")
    ? call(`Let me search for "${word}".`, { name: "Grep", args: { pattern, output_mode: "content", head_limit: 20 } })
    : missing("Grep")
}

const run = (scene: Scene, command: string): Move => {
  const [done] = scene.rounds
  if (done !== undefined) return answer(quote("The command has ended.", done[0]))
  return scene.offers("Bash") ? call("I will run it.", { name: "Bash", args: { command } }) : missing("Bash")
}

const missing = (tool: string): Move => answer(`For that I need the tool ${tool}, and I was not given it.`)

// --- Telling ---------------------------------------------------------------------------------------------------------

const shownLines = 20
const shownNames = 30

const paths = (result: Result | undefined): ReadonlyArray<string> =>
  result === undefined || result.isError ? [] : result.text.split("\n").filter((line) => line.startsWith("/"))

const base = (path: string): string => path.slice(path.lastIndexOf("/") + 1)
const parent = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")))

/** The files of a directory and the directories in it, from the files that are in each. */
const describe = ([here, below]: ReadonlyArray<Result>): string => {
  if (here?.isError === true) return quote("I could not look.", here)
  const files = paths(here).map(base).toSorted()
  const directories = [...new Set(paths(below).map((path) => `${base(parent(path))}/`))].toSorted()
  const place = files.length > 0 ? parent(paths(here)[0] ?? "") : parent(parent(paths(below)[0] ?? ""))
  if (files.length + directories.length === 0) return "There is nothing here that I can see."
  return `In ${place} there ${files.length + directories.length === 1 ? "is" : "are"} ${[
    count(files.length, "file"),
    count(directories.length, "directory")
  ]
    .filter((part) => part !== "")
    .join(" and ")}:\n${some([...directories, ...files])}`
}

const count = (n: number, what: "file" | "directory"): string => {
  if (n === 0) return ""
  if (n === 1) return `1 ${what}`
  return `${n} ${what === "file" ? "files" : "directories"}`
}

const some = (names: ReadonlyArray<string>): string =>
  [
    ...names.slice(0, shownNames).map((name) => `- ${name}`),
    ...(names.length > shownNames ? [`- … and ${names.length - shownNames} more`] : [])
  ].join("\n")

const quote = (lead: string, result: Result | undefined): string => {
  if (result === undefined) return lead
  const lines = result.text.trimEnd().split("\n")
  const shown = lines.slice(0, shownLines)
  const rest = lines.length - shown.length
  const tail = rest > 0 ? `\n… and ${rest} more ${rest === 1 ? "line" : "lines"}.` : ""
  return `${result.isError ? "The tool reports an error." : lead}\n\`\`\`\n${shown.join("\n")}\n\`\`\`${tail}`
}

// --- The client ------------------------------------------------------------------------------------------------------

const respond = (request: LlmRequest): Move => {
  const asked = request.messages.findLastIndex(({ role }) => role === "user")
  const since = request.messages.slice(asked + 1)
  const message = request.messages[asked]
  const tools = new Set(request.tools.map((tool) => tool.name))
  const move = decide({
    wish: understand(message?.role === "user" ? message.text : ""),
    offers: (tool) => tools.has(tool),
    rounds: since.flatMap((each) => (each.role === "tool" ? [each.results] : []))
  })
  const isFirst = !request.messages.some(({ role }) => role === "assistant")
  return isFirst ? { ...move, say: `${introduction}\n\n${move.say}` } : move
}

/** Words, with the white space that follows them, so that a reader sees them come. */
const pieces = (text: string): ReadonlyArray<string> => text.match(/\s*\S+\s*/g) ?? []

const events = (request: LlmRequest): ReadonlyArray<LlmEvent> => {
  const { calls, say } = respond(request)
  const callId = CallIds.forAnswer(request)
  return [
    { type: "text_start", index: 0 },
    ...pieces(say).map((text) => ({ type: "delta", index: 0, text }) as const),
    { type: "block_stop", index: 0 },
    ...calls.flatMap(
      ({ args, name }, n): ReadonlyArray<LlmEvent> => [
        { type: "tool_call_start", index: n + 1, id: callId(undefined), name },
        { type: "delta", index: n + 1, text: JSON.stringify(args) },
        { type: "block_stop", index: n + 1 }
      ]
    ),
    { type: "stop", reason: calls.length > 0 ? "tool_use" : "end_turn" }
  ]
}

export const client: LlmClient["Service"] = {
  info: { provider, model: "offline", contextWindow: 200_000 },
  // One event at a time, and others get their turn in between: a cancel finds it wherever it is.
  stream: (request) =>
    Stream.suspend(() => Stream.fromIterable(events(request))).pipe(
      Stream.rechunk(1),
      Stream.mapEffect((event) => Effect.as(Effect.yieldNow, event))
    )
}

export const layer: Layer.Layer<LlmClient> = Layer.succeed(LlmClient, client)
