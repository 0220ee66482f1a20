import { assert, describe, it } from "@effect/vitest"
import { noUsage } from "../../src/protocol/LogEntry.ts"
import type { PodEvent } from "../../src/cli/Client.ts"
import { Renderer, type RenderOptions } from "../../src/cli/Render.ts"

const options: RenderOptions = {
  color: { answer: false, info: false },
  safeAnswer: false,
  sameScreen: false,
  live: false,
  thinking: true,
  everything: false,
  asks: false,
  columns: 100,
  cwd: "/w"
}

const render = (events: ReadonlyArray<PodEvent>, changes: Partial<RenderOptions> = {}) => {
  const renderer = new Renderer({ ...options, ...changes })
  const chunks = events.flatMap((event) => renderer.render(event))
  const of = (to: "answer" | "info") =>
    chunks
      .filter((chunk) => chunk.to === to)
      .map((chunk) => chunk.text)
      .join("")
  return { answer: of("answer"), info: of("info"), screen: chunks.map((chunk) => chunk.text).join("") }
}

const delta = (text: string): PodEvent => ({ event: "text_delta", data: { text } })
const textDone = (text: string): PodEvent => ({ event: "text_done", data: { text } })
const call = (id: string, name: string, args: object): PodEvent => ({
  event: "tool_call_done",
  data: { id, name, arguments: JSON.stringify(args) }
})
const started = (id: string, name: string): PodEvent => ({ event: "tool_started", data: { run_id: "r", id, name } })
const writes = (id: string, offset: number, text: string): PodEvent => ({
  event: "tool_output",
  data: { id, offset, text }
})
const result = (id: string, summary: string, is_error = false, duration_ms = 3): PodEvent => ({
  event: "tool_result",
  data: { id, summary, is_error, duration_ms }
})

describe("events on a terminal", () => {
  it("streams the answer as it is and ends it with a newline", () => {
    const { answer, info } = render([delta("Hel"), delta("lo"), textDone("Hello"), delta("a\n"), textDone("a\n")])
    assert.strictEqual(answer, "Hello\na\n")
    assert.strictEqual(info, "")
  })

  it("shows a text whose deltas it has not seen", () => {
    assert.strictEqual(render([textDone("whole")]).answer, "whole\n")
  })

  it("gives a tool call one line, with its main argument and its result", () => {
    const { answer, info } = render([
      call("1", "Read", { file_path: "/w/src/main.ts" }),
      started("1", "Read"),
      result("1", "Read 12 lines\nmore"),
      call("2", "Bash", { command: "npm test\nnpm run lint" }),
      started("2", "Bash"),
      result("2", "exit code 1", true, 1500)
    ])
    assert.strictEqual(info, "✓ Read src/main.ts: Read 12 lines\n✗ Bash npm test …: exit code 1 (1.5 s)\n")
    assert.strictEqual(answer, "")
  })

  it("leaves out that there is no more, and says that there is", () => {
    const read = call("1", "Read", { file_path: "a" })
    const tail = (next: string) => `Read a. Returned 2 of 9 lines; next offset: ${next}.`
    assert.strictEqual(render([read, result("1", tail("none"))]).info, "✓ Read a: Read a.\n")
    assert.strictEqual(render([read, result("1", tail("2"))]).info, `✓ Read a: ${tail("2")}\n`)
  })

  it("shows what a command printed first and how it ended, not the command again", () => {
    const bash = (summary: string, output: string | undefined, is_error = false): PodEvent => ({
      event: "tool_result",
      data: { id: "1", summary, is_error, ...(output === undefined ? {} : { output }) }
    })
    const make = call("1", "Bash", { command: "make (all)" })
    assert.strictEqual(render([make, bash("$ make (all)", "\nfoo\nbar\n")]).info, "✓ Bash make (all): foo\n")
    assert.strictEqual(render([make, bash("$ make (all)", undefined)]).info, "✓ Bash make (all): no output\n")
    assert.strictEqual(
      render([make, bash("$ make (all) (exit code 2)", "oops\n", true)]).info,
      "✗ Bash make (all): oops (exit code 2)\n"
    )
  })

  it("finishes the line of a tool that was begun, and starts a new one if something came between", () => {
    const events = [call("1", "Bash", { command: "make" }), started("1", "Bash")]
    assert.strictEqual(render([...events, result("1", "ok")], { live: true }).info, "→ Bash make: ok\n")
    const between: PodEvent = { event: "alert", data: { level: "warn", source: "pod", message: "hm", timestamp_ms: 0 } }
    assert.strictEqual(
      render([...events, between, result("1", "ok")], { live: true }).info,
      "→ Bash make\n! hm\n✓ Bash make: ok\n"
    )
    assert.strictEqual(
      render([...events, call("2", "Glob", {}), started("2", "Glob"), result("2", "two"), result("1", "ok")], {
        live: true
      }).info,
      "→ Bash make\n✓ Glob: two\n✓ Bash make: ok\n"
    )
  })

  it("keeps the answer whole when information comes in the middle of it", () => {
    const retry: PodEvent = {
      event: "llm_continuation",
      data: { llm_call: 1, attempt: 1, max_attempts: 3, reason: "cut" }
    }
    const apart = render([delta("one "), retry, delta("two"), textDone("one two")])
    assert.strictEqual(apart.answer, "one two\n")
    assert.strictEqual(apart.info, "! the answer broke off (cut); going on\n")
    assert.strictEqual(
      render([delta("one "), retry, delta("two"), textDone("one two")], { sameScreen: true }).screen,
      "one \n! the answer broke off (cut); going on\ntwo\n"
    )
  })

  it("marks thinking line by line and closes it before the answer", () => {
    const events: ReadonlyArray<PodEvent> = [
      { event: "thinking_start" },
      { event: "thinking_delta", data: { text: "a\nb" } },
      { event: "thinking_done", data: { text: "a\nb" } },
      delta("c"),
      textDone("c")
    ]
    assert.strictEqual(render(events).screen, "~ a\n~ b\nc\n")
    assert.strictEqual(render(events, { thinking: false }).screen, "c\n")
  })

  it("says how a run ended and what to do about it", () => {
    const end = (data: object): PodEvent =>
      ({
        event: "run_end",
        data: { run_id: "r", leg: 1, result: "finished", usage: noUsage, ...data }
      }) as PodEvent
    assert.strictEqual(
      render([end({ usage: { ...noUsage, llm_calls: 2, input_tokens: 120, output_tokens: 7 } })]).info,
      "· finished (2 model calls, 120 tokens in, 7 out)\n"
    )
    assert.strictEqual(
      render([
        end({ result: "failed", error: { code: "provider_error", message: "no", phase: "request", hint: "wait" } })
      ]).info,
      "✗ failed: no [provider_error]\n  hint: wait\n"
    )
    assert.strictEqual(
      render([end({ result: "limit_reached", limit: "max_turns" })]).info,
      "· stopped at its limit: max_turns\n"
    )
  })

  it("shows input, queue and status only to those who watch everything", () => {
    const events: ReadonlyArray<PodEvent> = [
      { event: "user_message", data: { segments: [{ kind: "text", content: "do\nit" }] } },
      { event: "status", data: { status: "running" } },
      {
        event: "inbox_changed",
        data: { op: "add", size: 1, item: { item_id: "i", kind: "run", mode: "queue", ts: 0, preview: "later" } }
      },
      { event: "status", data: { status: "paused" } },
      { event: "status", data: { status: "stopping" } },
      { event: "shutdown" }
    ]
    assert.strictEqual(render(events).info, "")
    assert.strictEqual(
      render(events, { everything: true }).info,
      "› do\n  it\n· queued: later (1 waiting)\n· stopping\n· the pod shuts down\n"
    )
  })

  it("shows what a command says as its lines come, and does not say it again at the end", () => {
    const start = [call("1", "Bash", { command: "make" }), started("1", "Bash")]
    const end = result("1", "$ make (exit code 2)", false, 1500)
    const two = [writes("1", 0, "on"), writes("1", 2, "e\ntw"), writes("1", 6, "o\nthr"), writes("1", 11, "ee")]
    assert.strictEqual(
      render([...start, ...two.slice(0, 3)], { live: true }).info,
      "→ Bash make: one\n  two\n",
      "a line that is not whole waits"
    )
    assert.strictEqual(
      render([...start, ...two, end], { live: true }).info,
      "→ Bash make: one\n  two\n  three\n✓ Bash make (exit code 2) (1.5 s)\n"
    )
    assert.strictEqual(
      render([...start, ...two, end]).info,
      "→ Bash make\n  one\n  two\n  three\n✓ Bash make (exit code 2) (1.5 s)\n"
    )
    const short = [...start, writes("1", 0, "one\n"), end]
    assert.strictEqual(render(short, { live: true }).info, "→ Bash make: one (exit code 2) (1.5 s)\n")
    assert.match(render([...start, writes("1", 0, "one\n")]).info, /^$/)
    assert.match(render([...start, writes("1", 9, "ne\ntwo\n")]).info, /^ {2}…ne\n {2}two$/m)
  })

  it("says whose line it is when calls run side by side", () => {
    const { info } = render([
      call("1", "Bash", { command: "make" }),
      call("2", "Bash", { command: "lint" }),
      started("1", "Bash"),
      started("2", "Bash"),
      writes("1", 0, "a\nb\nc"),
      writes("2", 0, "x\ny\n"),
      writes("1", 5, "d\n"),
      result("2", "$ lint"),
      writes("1", 7, "e\n"),
      result("1", "$ make")
    ])
    assert.strictEqual(
      info,
      "  Bash make: a\n  Bash make: b\n  Bash lint: x\n  Bash lint: y\n  Bash make: cd\n✓ Bash lint\n→ Bash make\n  e\n✓ Bash make\n"
    )
  })

  it("cuts a flood, long lines and progress that draws over itself", () => {
    const { info } = render([
      call("1", "Bash", { command: "make" }),
      started("1", "Bash"),
      writes("1", 0, `10%\r90%\r\n\u001b[31mred\u001b[0m\u001b[2J${"w".repeat(300)}\n`),
      writes("1", 400, "line\n".repeat(1000)),
      writes("1", 5400, "last"),
      result("1", "$ make")
    ])
    const lines = info.trimEnd().split("\n")
    assert.deepStrictEqual(lines.slice(0, 2), ["→ Bash make", "  90%"])
    assert.match(lines[2]!, /^ {2}redw+…$/)
    assert.isBelow(lines[2]!.length, options.columns)
    assert.deepStrictEqual(lines.slice(-3), ["  line", "  … more is in its result", "✓ Bash make"])
    assert.strictEqual(lines.length, 43)
  })

  it("lets nothing that a model or a tool says reach the terminal as a command", () => {
    const evil = "\u001b]0;title\u0007\u001b[2Jx\u0008\u009b1m\u202ey\rz"
    const { screen } = render([delta(evil), textDone(evil), call("1", evil, { command: evil }), result("1", evil)], {
      safeAnswer: true
    })
    assert.notMatch(screen, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/)
    assert.include(screen, "x1myz")
    // A pipe gets the answer byte for byte.
    assert.strictEqual(render([delta(evil)]).answer, evil)
  })

  it("shows what was in flight when it came", () => {
    const renderer = new Renderer({ ...options, live: true })
    const chunks = [
      ...renderer.inFlight({
        run_id: "r",
        leg: 1,
        turn: 0,
        blocks: [
          { kind: "thinking", text: "hm" },
          { kind: "text", text: "half" },
          { kind: "tool_call", id: "1", name: "Bash", arguments_so_far: '{"command":"make"}', state: "running" }
        ]
      }),
      ...renderer.render(result("1", "ok"))
    ]
    assert.strictEqual(chunks.map((chunk) => chunk.text).join(""), "~ hm\nhalf\n→ Bash make: ok\n")
  })
})
