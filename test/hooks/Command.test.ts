import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import * as NFS from "node:fs"
import * as Path from "node:path"
import * as PodTest from "../../layers/PodTest.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import * as Pod from "../../src/pod/Pod.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { tempDir } from "../scope/support.ts"
import { fileOf, isEvent, until } from "../support/podBench.ts"

type HookInput = NonNullable<NonNullable<Manifest.ManifestInput["hooks"]>["command"]>[number]

interface Options {
  readonly hooks: (directory: string) => ReadonlyArray<HookInput>
  /** In `sh`, with the directory as `$D`. */
  readonly scripts?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly memory?: MemoryStore.MemoryStore
  readonly directory?: string
}

/** A pod whose hooks are shell scripts, in a directory that it may write. */
const start = Effect.fnUntraced(function* ({ env = {}, hooks, scripts = {}, ...rest }: Options) {
  const directory = rest.directory ?? (yield* tempDir)
  for (const [name, text] of Object.entries(scripts)) {
    NFS.writeFileSync(Path.join(directory, name), `#!/bin/sh\nD='${directory}'\n${text}\n`, { mode: 0o755 })
  }
  const manifest = yield* Manifest.make({
    pod: { name: "hooked" },
    scope: { allow: [{ target: directory, permission: "write" }] },
    hooks: { command: hooks(directory) }
  })
  const handle = yield* Pod.make(manifest, {
    named: { manifest: true },
    env: { PATH: process.env["PATH"] ?? "", ...env }
  })
  const { take } = yield* handle.attach
  return { directory, handle, take, read: (name: string) => NFS.readFileSync(Path.join(directory, name), "utf8") }
})

const asks = (directory: string, on: HookInput["on"], more: Partial<HookInput> = {}): HookInput => ({
  name: "guard",
  on,
  command: [Path.join(directory, "guard")],
  ...more
})

const glob = { steps: [{ tool: "Glob", id: "c1", args: { pattern: "*" } }] }
const said = (text: string) => ({ steps: [{ text }] })
const world = (memory = MemoryStore.make()) => PodTest.layer([glob, said("ok")], memory)

const results = (handle: Effect.Success<ReturnType<typeof Pod.make>>) =>
  Effect.map(handle.readEntries(0, 100), ({ entries }) =>
    entries.flatMap((text) => {
      const entry = JSON.parse(text)
      return entry.kind === "tool_result" ? [entry.item] : []
    })
  )

describe("a hook of the manifest", () => {
  it.live("gets its input as JSON, in the pod's directory, with a reduced environment", () =>
    Effect.gen(function* () {
      const { directory, handle, read } = yield* start({
        hooks: (at) => [asks(at, ["on_prompt_submit", "pre_tool_call", "on_turn_end"], { env_allow: ["GUARD_*"] })],
        scripts: { guard: 'cat >> "$D/input"; env > "$D/env"; pwd > "$D/pwd"; echo noise >&2' },
        env: { GUARD_LEVEL: "high", OPENAI_API_KEY: "sk-secret", OTHER: "x" }
      })
      const { run_id } = yield* handle.runToEnd("go")
      const inputs = read("input")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
      const about = { pod: "hooked", session_id: handle.sessionId, cwd: directory, run_id, leg: 1 }
      expect(inputs).toEqual([
        { point: "on_prompt_submit", ...about, input_text: "go", turn_index: 1 },
        { point: "pre_tool_call", ...about, call_id: "c1", tool_name: "Glob", arguments: { pattern: "*" } },
        { point: "on_turn_end", ...about, turn_index: 1, tool_calls_count: 1, final_text_preview: "ok", continued: 0 }
      ])
      expect(read("pwd").trim()).toBe(NFS.realpathSync(directory))
      expect(read("env")).toContain("GUARD_LEVEL=high")
      expect(read("env")).not.toMatch(/secret|OTHER/)
      expect((yield* results(handle))[0]).not.toHaveProperty("is_error")
    }).pipe(Effect.scoped, Effect.provide(world()))
  )

  it.live("decides with what it writes, and only about tools that it is for", () =>
    Effect.gen(function* () {
      const { handle, read } = yield* start({
        hooks: (at) => [
          asks(at, ["pre_tool_call"], { name: "other", tool: "Bash" }),
          asks(at, ["pre_tool_call"], { tool: "gl*" })
        ],
        scripts: { guard: 'echo asked >> "$D/log"; echo \'{"decision":"skip","reason":"not today"}\'' }
      })
      yield* handle.runToEnd("go")
      expect(read("log")).toBe("asked\n")
      expect(yield* results(handle)).toMatchObject([
        {
          is_error: true,
          summary: expect.stringContaining('the hook "guard" of this pod does not let it through: not today')
        }
      ])
    }).pipe(Effect.scoped, Effect.provide(world()))
  )

  it.live("is over with its command: what that has started and left is ended, and keeps nobody waiting", () =>
    Effect.gen(function* () {
      const { handle, read } = yield* start({
        hooks: (at) => [asks(at, ["pre_tool_call"], { timeout: "10 minutes" })],
        // The child holds the output open.
        scripts: { guard: 'sleep 1000 & echo $! > "$D/child"; echo \'{"decision":"skip"}\'' }
      })
      yield* handle.runToEnd("go")
      expect(yield* results(handle)).toMatchObject([
        { is_error: true, summary: expect.stringContaining("let it through") }
      ])
      expect(isAlive(Number(read("child")))).toBe(false)
    }).pipe(Effect.scoped, Effect.provide(world()))
  )

  it.live("writes UTF-8, wherever the pipe cuts it", () =>
    Effect.gen(function* () {
      const directory = yield* tempDir
      const items = Array.from({ length: 4 }, () => "€".repeat(32 * 1024))
      NFS.writeFileSync(Path.join(directory, "said"), JSON.stringify({ decision: "continue_with", items }))
      const { handle } = yield* start({
        directory,
        hooks: (at) => [asks(at, ["on_prompt_submit"])],
        scripts: { guard: 'cat "$D/said"' }
      })
      yield* handle.runToEnd("go")
      const { entries } = yield* handle.readEntries(0, 100)
      const added = entries.flatMap((text) => {
        const entry = JSON.parse(text)
        return entry.kind === "system_item" ? [entry.item.message] : []
      })
      expect(added).toEqual(items)
    }).pipe(Effect.scoped, Effect.provide(world()))
  )

  const failures = {
    "exits with another code": ["cat > /dev/null; echo hush-hush; exit 3", "it ended with exit code 3"],
    "is killed": ["kill -9 $$", "it was ended by SIGKILL"],
    "writes what is no JSON": ["echo hush-hush", "what it wrote is not JSON"],
    "writes JSON that is no decision": [
      'echo \'{"decision":"allow"}\'',
      "what it said is no decision of pre_tool_call"
    ],
    "floods its output": ["yes hush-hush", "it wrote more than 1048576 bytes"]
  } as const

  it.live.each(Object.keys(failures) as ReadonlyArray<keyof typeof failures>)(
    "that %s stops the call; what it wrote is told to nobody",
    (how) =>
      Effect.gen(function* () {
        const [script, problem] = failures[how]
        const memory = MemoryStore.make()
        yield* Effect.gen(function* () {
          const { handle, take } = yield* start({
            hooks: (at) => [asks(at, ["pre_tool_call"])],
            scripts: { guard: script }
          })
          const ended = yield* Effect.forkChild(handle.runToEnd("go"), { startImmediately: true })
          const seen = yield* until(take, isEvent("run_end"))
          yield* Fiber.join(ended)
          expect(seen.find(isEvent("alert"))).toMatchObject({ data: { message: expect.stringContaining(problem) } })
          expect(yield* results(handle)).toMatchObject([{ is_error: true }])
          const file = memory.segments().flatMap((ref) => fileOf(memory, ref))
          expect(JSON.stringify([file, seen])).not.toContain("hush-hush")
          expect(file).toContainEqual(
            expect.objectContaining({
              domain: "pod.hook",
              payload: expect.objectContaining({ hook: "guard", decision: "failed", problem, call_id: "c1" })
            })
          )
        }).pipe(Effect.scoped, Effect.provide(world(memory)))
      })
  )

  it.live("that cannot be started stops the call, too; elsewhere the run goes on", () =>
    Effect.gen(function* () {
      const { handle } = yield* start({
        hooks: () => [{ name: "gone", on: ["on_prompt_submit", "pre_tool_call"], command: ["/nowhere/guard"] }]
      })
      expect(yield* handle.runToEnd("go")).toMatchObject({ result: "finished" })
      expect(yield* results(handle)).toMatchObject([{ is_error: true }])
    }).pipe(Effect.scoped, Effect.provide(world()))
  )

  it.effect("that hangs is ended at its limit with all that it started", () =>
    Effect.gen(function* () {
      const { directory, handle, read, take } = yield* start({
        hooks: (at) => [asks(at, ["pre_tool_call"], { timeout: "2 minutes" })],
        scripts: { guard: 'sleep 1000 & echo $! > "$D/child"; mkfifo "$D/never"; echo > "$D/ready"; cat "$D/never"' }
      })
      yield* handle.run("go")
      yield* appears(Path.join(directory, "ready"))
      const child = Number(read("child"))
      expect(isAlive(child)).toBe(true)
      yield* TestClock.adjust("2 minutes")
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.find(isEvent("alert"))).toMatchObject({
        data: { message: expect.stringContaining("it did not answer within 2m") }
      })
      expect(isAlive(child)).toBe(false)
    }).pipe(Effect.scoped, Effect.provide(world()))
  )

  it.live("that hangs is ended when the run is cancelled", () =>
    Effect.gen(function* () {
      const { directory, handle, read, take } = yield* start({
        hooks: (at) => [asks(at, ["on_prompt_submit"])],
        scripts: { guard: 'sleep 1000 & echo $! > "$D/child"; echo > "$D/ready"; wait' }
      })
      yield* handle.run("go")
      yield* appears(Path.join(directory, "ready"))
      yield* handle.cancel
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "rolled_back" } })
      expect(isAlive(Number(read("child")))).toBe(false)
    }).pipe(Effect.scoped, Effect.provide(world()))
  )

  it.live("still holds when the pod is started without the manifest that named it", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const directory = yield* tempDir
      const scripts = { guard: 'echo \'{"decision":"skip"}\'' }
      yield* start({ hooks: (at) => [asks(at, ["pre_tool_call"])], scripts, directory }).pipe(
        Effect.flatMap(({ handle }) => handle.runToEnd("go")),
        Effect.scoped,
        Effect.provide(world(memory))
      )
      const again = yield* Effect.gen(function* () {
        const manifest = yield* Manifest.make({
          pod: { name: "hooked" },
          scope: { allow: [{ target: directory, permission: "write" }] }
        })
        const handle = yield* Pod.make(manifest, { env: { PATH: process.env["PATH"] ?? "" } })
        yield* handle.runToEnd("again")
        return { results: yield* results(handle), notes: handle.greeting.notes }
      }).pipe(Effect.scoped, Effect.provide(world(memory)))
      expect(again.results).toMatchObject([{ is_error: true }, { is_error: true }])
      expect(again.notes).toContain("the hooks that this pod was last given still hold")
      const metadata = yield* Effect.flatMap(PodStore, (pods) => pods.get("hooked")).pipe(Effect.provide(memory.layer))
      expect(Option.getOrThrow(metadata).resolved_manifest_snapshot).toMatchObject({
        hooks: { command: [{ name: "guard" }] }
      })
    }).pipe(Effect.scoped)
  )
})

const isAlive = (pid: number): boolean => {
  try {
    return NFS.readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0] !== "Z"
  } catch {
    return false
  }
}

/** Processes take their own time, which no test clock knows: it is looked for until it is there. */
const appears = (path: string): Effect.Effect<void> =>
  Effect.suspend(() =>
    NFS.existsSync(path)
      ? Effect.void
      : Effect.andThen(
          Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve))),
          appears(path)
        )
  )
