import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Offline from "../../../layers/llm/Offline.ts"
import type { LlmMessage, LlmRequest, ToolSpec } from "../../../src/llm/LlmRequest.ts"
import { fold } from "../../../src/llm/Response.ts"
import { message, messageText } from "../../../src/protocol/Item.ts"
import { type HistoryItem, transcript } from "../../../src/llm/Transcript.ts"
import { request } from "../../llm/fakeClient.ts"

const spec = (name: string): ToolSpec => ({ name, description: name, parameters: { type: "object" } })
const allTools = ["Bash", "Glob", "Grep", "Read"].map(spec)

const workspace = Effect.acquireRelease(
  Effect.sync(() => {
    const directory = mkdtempSync(join(tmpdir(), "offline-"))
    mkdirSync(join(directory, "src"))
    writeFileSync(join(directory, "README.md"), "# Marbles\n\nA game of marbles.\n")
    writeFileSync(join(directory, "notes.txt"), "red marble\nblue marble\n")
    writeFileSync(join(directory, "src", "game.js"), "// marble rules\n")
    return directory
  }),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

type Args = Readonly<Record<string, string>>

/** The tools' ways of answering, on real files. */
const runTool = (cwd: string, name: string, args: Args): { readonly summary: string; readonly content?: string } => {
  switch (name) {
    case "Glob": {
      const base = args["path"] ?? cwd
      const pattern = (args["pattern"] ?? "")
        .replaceAll(".", "\\.")
        .replaceAll("**/", "(.*/)?")
        .replaceAll(/(?<!\.)\*/g, "[^/]*")
      const found = readdirSync(base, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => new RegExp(`^${pattern}$`).test(path.slice(base.length + 1)))
      return { summary: `${found.length} files match`, ...(found.length === 0 ? {} : { content: found.join("\n") }) }
    }
    case "Read": {
      const lines = readFileSync(args["file_path"] ?? "", "utf8")
        .trimEnd()
        .split("\n")
      return {
        summary: `${lines.length} lines of ${args["file_path"]}`,
        content: lines.map((line, n) => `${String(n + 1).padStart(6)}\t${line}`).join("\n")
      }
    }
    case "Grep":
      return { summary: "matches", content: execFileSync("grep", ["-rn", args["pattern"] ?? "", cwd]).toString() }
    default:
      return {
        summary: `$ ${args["command"]}`,
        content: execFileSync("sh", ["-c", args["command"] ?? ""], { cwd }).toString()
      }
  }
}

interface Talk {
  readonly history: ReadonlyArray<HistoryItem>
  /** Everything it said, one string per generation. */
  readonly said: ReadonlyArray<string>
  readonly called: ReadonlyArray<string>
}

/** Runs a request to its end, tools included. */
const talk = Effect.fnUntraced(function* (
  cwd: string,
  text: string,
  options: { readonly tools?: ReadonlyArray<ToolSpec>; readonly before?: ReadonlyArray<HistoryItem> } = {}
) {
  const history: Array<HistoryItem> = [...(options.before ?? []), { item: message("user", text) }]
  const said: Array<string> = []
  const called: Array<string> = []
  for (let turn = 1; turn <= 5; turn++) {
    const events = yield* Stream.runCollect(
      Offline.client.stream({ ...request, tools: options.tools ?? allTools, messages: transcript(history) })
    )
    assert.isFalse(events.some(({ type }) => type === "usage"))
    const response = fold(events)
    for (const { item } of response.items()) {
      history.push({ item, turn })
      if (item.kind === "message") said.push(messageText(item))
    }
    if (response.stop()?.reason === "end_turn") {
      const result: Talk = { history, said, called }
      return result
    }
    for (const { item } of response.items()) {
      if (item.kind !== "tool_call") continue
      called.push(`${item.name} ${item.arguments}`)
      const output = runTool(cwd, item.name, JSON.parse(item.arguments) as Args)
      history.push({ item: { kind: "tool_result", call_id: item.call_id, ...output } })
    }
  }
  return assert.fail("it never came to an answer")
})

const answerOf = ({ said }: Talk): string => said.at(-1) ?? ""

describe("plain requests", () => {
  for (const words of ["Look around", "what is here?", "Please look around and tell me what's in this directory."]) {
    it.effect(`"${words}" looks with the real tools and tells what there is`, () =>
      Effect.gen(function* () {
        const cwd = yield* workspace
        const result = yield* talk(cwd, words)
        assert.deepStrictEqual(
          result.called.map((call) => call.split(" ")[0]),
          ["Glob", "Glob", "Read"]
        )
        assert.include(
          answerOf(result),
          `In ${cwd} there are 2 files and 1 directory:\n- src/\n- README.md\n- notes.txt`
        )
        assert.include(answerOf(result), "A game of marbles.")
      })
    )
  }

  for (const words of [
    "read notes.txt",
    'Please show me the file "notes.txt".',
    "cat ./notes.txt",
    "Read @notes.txt"
  ]) {
    it.effect(`"${words}" finds the file and reads it`, () =>
      Effect.gen(function* () {
        const cwd = yield* workspace
        const result = yield* talk(cwd, words)
        assert.deepStrictEqual(
          result.called.map((call) => call.split(" ")[0]),
          ["Glob", "Read"]
        )
        assert.include(answerOf(result), `This is ${join(cwd, "notes.txt")}.`)
        assert.include(answerOf(result), "blue marble")
      })
    )
  }

  it.effect("reads an absolute path at once", () =>
    Effect.gen(function* () {
      const cwd = yield* workspace
      const result = yield* talk(cwd, `read ${cwd}/src/game.js`)
      assert.deepStrictEqual(result.called, [`Read {"file_path":"${cwd}/src/game.js"}`])
      assert.include(answerOf(result), "marble rules")
    })
  )

  it.effect("says so when there is no such file", () =>
    Effect.gen(function* () {
      const cwd = yield* workspace
      assert.strictEqual(answerOf(yield* talk(cwd, "read ghost.txt")), "I found no file ghost.txt here.")
    })
  )

  it.effect('"list src" lists', () =>
    Effect.gen(function* () {
      const cwd = yield* workspace
      assert.include(answerOf(yield* talk(cwd, "list the files in src/")), `In ${cwd}/src there is 1 file:\n- game.js`)
      assert.include(answerOf(yield* talk(cwd, `ls ${cwd}/src`)), "- game.js")
    })
  )

  it.effect('"search marble" searches', () =>
    Effect.gen(function* () {
      const cwd = yield* workspace
      const result = yield* talk(cwd, 'search for the word "red marble" everywhere')
      assert.lengthOf(result.called, 1)
      assert.include(answerOf(result), "notes.txt:1:red marble")
    })
  )

  it.effect("a search is for the word as it stands, not for a pattern", () =>
    Effect.gen(function* () {
      const call = fold(
        yield* Stream.runCollect(
          Offline.client.stream({
            ...request,
            tools: allTools,
            messages: [{ role: "user", text: "search `a.b(c)`" }]
          })
        )
      )
        .items()
        .find(({ item }) => item.kind === "tool_call")
      assert.deepInclude(call?.item, {
        arguments: JSON.stringify({ pattern: "a\\.b\\(c\\)", output_mode: "content", head_limit: 20 })
      })
    })
  )

  it.effect('"run COMMAND" runs it', () =>
    Effect.gen(function* () {
      const cwd = yield* workspace
      const result = yield* talk(cwd, "Run `cat notes.txt | wc -l`")
      assert.deepStrictEqual(result.called, ['Bash {"command":"cat notes.txt | wc -l"}'])
      assert.match(answerOf(result), /```\n\$ cat notes.txt \| wc -l\n\s*2\n```/)
    })
  )

  it.effect("an error of a tool is told as one", () =>
    Effect.gen(function* () {
      const messages: ReadonlyArray<LlmMessage> = [
        { role: "user", text: "run false" },
        { role: "assistant", blocks: [{ kind: "tool_call", id: "a", name: "Bash", arguments: "{}" }] },
        { role: "tool", results: [{ id: "a", name: "Bash", text: "denied by permissions", isError: true }] }
      ]
      const events = yield* Stream.runCollect(Offline.client.stream({ ...request, tools: allTools, messages }))
      const [item] = fold(events).items()
      assert.include(
        item?.item.kind === "message" ? messageText(item.item) : "",
        "The tool reports an error.\n```\ndenied"
      )
    })
  )

  it.effect("what it does not understand it says, with what it can do", () =>
    Effect.gen(function* () {
      const { called, said } = yield* talk("/", "Write me a poem about marbles")
      assert.deepStrictEqual(called, [])
      assert.include(said[0], "beyond what I can do")
      assert.include(said[0], '"read FILE"')
    })
  )

  it.effect("a tool that it was not given it misses by name", () =>
    Effect.gen(function* () {
      assert.include(answerOf(yield* talk("/", "run ls", { tools: [] })), "I need the tool Bash")
      assert.include(answerOf(yield* talk("/", "look around", { tools: [] })), "I need the tool Glob")
    })
  )
})

describe("it", () => {
  it.effect("says what it is and how to get a real model in its first answer, and then no more", () =>
    Effect.gen(function* () {
      const cwd = yield* workspace
      const first = yield* talk(cwd, "look around")
      assert.include(first.said[0], "offline model")
      assert.include(first.said[0], "ANTHROPIC_API_KEY")
      assert.include(first.said[0], "OPENAI_API_KEY")
      assert.notInclude(first.said.slice(1).join(), "ANTHROPIC_API_KEY")
      const second = yield* talk(cwd, "read notes.txt", { before: first.history })
      assert.notInclude(second.said.join(), "ANTHROPIC_API_KEY")
    })
  )

  it.effect("streams in small pieces and does the same for the same request", () =>
    Effect.gen(function* () {
      const asked: LlmRequest = { ...request, tools: allTools, messages: [{ role: "user", text: "look around" }] }
      const once = yield* Stream.runCollect(Offline.client.stream(asked))
      const texts = once.flatMap((event) => (event.type === "delta" && event.index === 0 ? [event.text] : []))
      assert.isAbove(texts.length, 20)
      assert.isAtMost(Math.max(...texts.map((text) => text.length)), 40)
      assert.deepStrictEqual(yield* Stream.runCollect(Offline.client.stream(asked)), once)
    })
  )

  it.effect("answers a turn that nobody asked for", () =>
    Effect.gen(function* () {
      const messages: ReadonlyArray<LlmMessage> = [{ role: "system", text: "[Notification]\nbuild done" }]
      const events = yield* Stream.runCollect(Offline.client.stream({ ...request, tools: allTools, messages }))
      assert.strictEqual(fold(events).stop()?.reason, "end_turn")
      assert.lengthOf(fold(events).items(), 1)
    })
  )
})
