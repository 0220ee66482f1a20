/** What the rules, the hooks and the tool get of the arguments of a call: the same, whatever was sent. */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Files from "../../layers/runtime/Files.ts"
import * as Unbash from "../../layers/shell/Unbash.ts"
import type { Hook } from "../../src/hooks/Hook.ts"
import * as PermissionTargets from "../../src/pod/PermissionTargets.ts"
import { resolve } from "../../src/scope/Resolve.ts"
import * as Permitting from "../../src/pod/Permitting.ts"
import { ShellSyntax } from "../../src/runtime/ShellSyntax.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { fresh, isEvent, until } from "../support/podBench.ts"

const rule = [
  { tool: "put", action: "allow", pattern: "/w/ok*" },
  { tool: "put", action: "deny", pattern: "/etc/*" }
] as const

/** A tool that notes what it gets, in a pod with a rule for it and a hook that looks. */
const called = Effect.fnUntraced(
  function* (parameters: Schema.Codec<unknown, unknown>, sent: object | string, otherwise: "allow" | "deny" = "deny") {
    const got: Array<unknown> = []
    const shown: Array<unknown> = []
    const put = Tool.make({
      name: "Put",
      description: "puts",
      parameters,
      run: (args) => Effect.sync(() => void got.push(args))
    })
    const hook: Hook = {
      name: "looks",
      preToolCall: ({ arguments: args }) => Effect.sync(() => void shown.push(args))
    }
    const fs = yield* FileSystem.FileSystem
    const targets = PermissionTargets.make({
      whereAre: Effect.forEach((path) => resolve(fs, path)),
      cwd: "/w",
      shell: yield* ShellSyntax
    })
    const table = { default_action: otherwise, rule, ask_timeout: Duration.minutes(10) } as const
    const pod = yield* fresh({
      tools: [put],
      hooks: [hook],
      permit: (ask) => Permitting.make([table], targets, ask)
    })
    yield* pod.handle.run("go")
    yield* Effect.flatMap(pod.model.next, (call) => call.callTools({ id: "c1", name: "Put", args: sent }))
    const { answer, request } = yield* pod.model.next
    yield* answer("done")
    const seen = yield* until(pod.take, isEvent("run_end"))
    expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
    const [result] = request.messages.flatMap((message) => (message.role === "tool" ? message.results : []))
    return { got, shown, text: result?.text ?? "", isError: result?.isError }
  },
  Effect.provide([Files.layer, Unbash.layer])
)

const Path = Schema.Struct({ path: Schema.String })
const upper = (text: string) => text.toUpperCase()
const OneWay = Schema.Struct({
  path: Schema.String,
  code: Schema.String.pipe(
    Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transform(upper),
      encode: SchemaGetter.forbidden(() => "no way back")
    })
  )
})
const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels)

describe("a call that the rules judge by its path", () => {
  const Fallback = Schema.Struct({ path: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("/etc/x"))) })
  const Renamed = Schema.Struct({ command: Schema.String }).pipe(Schema.encodeKeys({ command: "path" }))
  const Either = Schema.Union([Schema.Struct({ a: Schema.String }), Path])
  const denied: ReadonlyArray<
    readonly [string, Schema.Codec<unknown, unknown>, object | string, otherwise?: "allow" | "deny"]
  > = [
    ["has none, and one is sent", Schema.Struct({ file: Schema.String }), { file: "/etc/x", path: "/w/ok" }],
    ["takes nothing, and one is sent", Schema.Struct({}), { path: "/w/ok" }],
    ["has a default", Fallback, {}, "allow"],
    ["has a default, and null is sent", Fallback, { path: null }, "allow"],
    ["is made from what is sent", Schema.Struct({ path: Schema.Trim }), { path: " /etc/x" }, "allow"],
    ["has another name inside, and that is sent too", Renamed, { path: "/etc/x", command: "/w/ok" }],
    ["is of the member of a union that was not meant", Either, { a: "x", path: "/w/ok" }],
    ["is sent in the prototype", Schema.Record(Schema.String, Schema.Json), '{"__proto__":{"path":"/w/ok"},"a":1}'],
    ["is sent in the prototype, beside the real one", Path, '{"path":"/etc/x","__proto__":{"command":"/w/ok"}}'],
    ["is sent twice: the last one is read", Path, '{"path":"/w/ok","path":"/etc/x"}']
  ]
  it.effect.each(denied)("%s", ([, parameters, sent, otherwise]) =>
    Effect.gen(function* () {
      const { got, shown, text } = yield* called(parameters, sent, otherwise)
      expect(text).toContain("permission")
      expect([got, shown]).toEqual([[], []])
    }).pipe(Effect.scoped)
  )

  it.effect("runs with what was judged, and hooks see that and nothing else", () =>
    Effect.gen(function* () {
      const { got, isError, shown } = yield* called(Path, { url: "/etc/x", path: "/w/ok/a", command: "rm" })
      expect(isError).toBe(false)
      expect(shown).toEqual([{ path: "/w/ok/a" }])
      expect(got).toEqual([{ path: "/w/ok/a" }])
    }).pipe(Effect.scoped)
  )

  it.effect("keeps what an open schema declares, prototypes as plain keys", () =>
    Effect.gen(function* () {
      const sent = '{"path":"/w/ok","more":[1,null],"__proto__":{"url":"x"}}'
      const { got } = yield* called(Schema.Record(Schema.String, Schema.Json), sent)
      expect(got).toEqual([JSON.parse(sent)])
      expect(Object.getPrototypeOf(got[0])).toBe(Object.prototype)
    }).pipe(Effect.scoped)
  )

  it.effect("is refused with undeclared arguments, and says so, where its schema has no way back", () =>
    Effect.gen(function* () {
      const { got, isError, text } = yield* called(OneWay, { path: "/w/ok", code: "a", url: "x" })
      expect([got, isError]).toEqual([[], true])
      expect(text).toMatch(/^Put: [^]*"url"/)
      const plain = yield* called(OneWay, { path: "/w/ok", code: "a" })
      expect(plain.got).toEqual([{ path: "/w/ok", code: "A" }])
    }).pipe(Effect.scoped)
  )

  it.effect("with arguments that do not decode is sent back, and nobody is asked about it", () =>
    Effect.gen(function* () {
      const { got, shown, text } = yield* called(Path, { path: 1 })
      expect(text).toMatch(/^Put: Expected string/)
      expect([got, shown]).toEqual([[], []])
    }).pipe(Effect.scoped)
  )

  it.effect("with arguments of any depth ends in a result", () =>
    Effect.gen(function* () {
      const Any = Schema.Struct({ path: Schema.String, value: Schema.Json })
      const deep = yield* called(Any, `{"path":"/w/ok","value":${nested(500)}}`)
      expect(deep.text).toBe("Put: the arguments are nested more than 500 levels deep")
      const bottomless = yield* called(Any, `{"path":"/w/ok","value":${nested(100_000)}}`)
      expect([bottomless.got, bottomless.isError]).toEqual([[], true])
    }).pipe(Effect.scoped)
  )

  it.effect("may be as long as it likes", () =>
    Effect.gen(function* () {
      const Any = Schema.Struct({ path: Schema.String, value: Schema.Json })
      const value = "x".repeat(10_000_000)
      const huge = yield* called(Any, { path: "/w/ok", value, url: "x" })
      expect(huge.got).toEqual([{ path: "/w/ok", value }])
    }).pipe(Effect.scoped)
  )
})

describe("a tool that breaks over its arguments", () => {
  it.effect("is a result without a stack", () =>
    Effect.gen(function* () {
      const Broken = Schema.Struct({
        path: Schema.String.pipe(
          Schema.decodeTo(Schema.String, {
            decode: SchemaGetter.transform((): string => {
              throw new Error("at /home/of-the-operator")
            }),
            encode: SchemaGetter.transform(upper)
          })
        )
      })
      const { shown, text } = yield* called(Broken, { path: "/w/ok" })
      expect(text).toBe("Put broke; this is a defect of the tool")
      expect(shown).toEqual([])
    }).pipe(Effect.scoped)
  )
})
