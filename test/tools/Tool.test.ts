/** What a tool of one's own promises to whoever holds it: the pod, or a program that has no pod. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Toolbox from "../../src/agent/Toolbox.ts"
import * as KnownFiles from "../../src/tools/KnownFiles.ts"
import * as Tool from "../../src/tools/Tool.ts"

class Sold extends Schema.TaggedError<Sold>()("Sold", { by: Schema.BigInt }) {}

const context = {
  callId: "c",
  emitOutput: () => Effect.void,
  tasks: [],
  known: KnownFiles.over(() => undefined),
  unlessRecorded: () => Effect.void
}
const named = (name: string, parameters: Schema.Codec<unknown, unknown> = Schema.Struct({})) =>
  Tool.make({ name, description: "d", parameters, run: () => Effect.void })
const reasonOf = (tool: Tool.Tool, args: Schema.JsonObject = {}) => Effect.flip(tool.run(args, context))

describe("what a tool says when it fails", () => {
  it.effect("names whose fault it was: the call's, the world's, its own", () =>
    Effect.gen(function* () {
      const Path = Schema.Struct({ path: Schema.String })
      expect(yield* reasonOf(named("Put", Path), { path: 1 })).toMatchObject({ reason: "InvalidArgument" })
      expect(yield* Effect.flip(named("Put", Path).accept({ path: 1 }))).toMatchObject({ reason: "InvalidArgument" })
      const failing = (error: Tool.Told) => Tool.make({ name: "Fail", description: "d", run: () => Effect.fail(error) })
      expect(yield* reasonOf(failing({ message: "closed" }))).toMatchObject({ reason: "ExecutionFailed" })
      const own = new Tool.ToolError({ reason: "InvalidArgument", message: "not like this" })
      expect(yield* reasonOf(failing(own))).toBe(own)
      const shape = Tool.make({
        name: "Shape",
        description: "d",
        success: Schema.Struct({ n: Schema.Int }),
        run: () => Effect.succeed({ n: 0.5 })
      })
      expect(yield* reasonOf(shape)).toMatchObject({ reason: "Internal" })
    })
  )

  it.effect("is JSON, like what it gives, also of values that JSON does not have", () =>
    Effect.gen(function* () {
      const big = Tool.make({
        name: "Big",
        description: "d",
        success: Schema.Struct({ pieces: Schema.BigInt }),
        failure: Sold,
        parameters: Schema.Struct({ pieces: Schema.BigInt }),
        run: ({ pieces }) => (pieces > 1n ? Effect.fail(new Sold({ by: pieces })) : Effect.succeed({ pieces }))
      })
      expect(yield* big.run({ pieces: "1" }, context)).toEqual({ summary: '{"pieces":"1"}' })
      expect((yield* reasonOf(big, { pieces: "2" })).message).toBe('Sold\n{"_tag":"Sold","by":"2"}')
    })
  )
})

describe("what a tool gives", () => {
  it.effect("is the model's as it is, where the tool makes it itself", () =>
    Effect.gen(function* () {
      const output: Tool.ToolOutput = {
        summary: "a picture",
        content: "of a cat",
        truncated: true,
        media: [{ type: "image/png", data: "AAAA" }],
        outputPath: "/w/cat.png"
      }
      const draw = Tool.make({ name: "Draw", description: "d", run: () => Effect.succeed(output) })
      expect(yield* draw.run({}, context)).toEqual(output)
    })
  )
})

describe("what a tool is called with", () => {
  it.effect("may have null for what is left out, whoever calls", () =>
    Effect.gen(function* () {
      const got: Array<unknown> = []
      const take = Tool.make({
        name: "Take",
        description: "d",
        parameters: Schema.Struct({ on: Schema.optionalKey(Schema.String) }),
        run: (args) => Effect.sync(() => void got.push(args))
      })
      yield* take.run({ on: null }, context)
      expect(got).toEqual([{}])
    })
  )

  it.effect("may break its schema: that is the end of the call, and not of whoever calls", () =>
    Effect.gen(function* () {
      const Broken = Schema.Struct({
        path: Schema.String.pipe(
          Schema.decodeTo(Schema.String, {
            decode: SchemaGetter.transform((): string => {
              throw new Error("broken")
            }),
            encode: SchemaGetter.passthrough()
          })
        )
      })
      const accepting = named("Put", Broken).accept({ path: "x" })
      expect(Exit.hasDies(yield* Effect.exit(accepting))).toBe(true)
    })
  )
})

describe("what a tool declares", () => {
  it("of what it changes: a path in its normal form, a name of its own as it is, nothing of bad arguments", () => {
    const put = Tool.make({
      name: "Put",
      description: "d",
      parameters: Schema.Struct({ of: Schema.String }),
      mutates: ({ of }) => [of],
      run: () => Effect.void
    })
    expect(put.mutates({ of: "/w//a/../b/" })).toEqual(["/w/b"])
    expect(put.mutates({ of: "shop//stock/../till" })).toEqual(["shop//stock/../till"])
    expect(put.mutates({ of: 1 })).toEqual([])
  })

  it("for the model is made once, so that every request has the same value", () => {
    const { spec } = named("Put", Schema.Struct({ path: Schema.String }))
    expect(spec.parameters).toBe(spec.parameters)
  })
})

describe("the tools of a pod", () => {
  it.effect("are offered in the order of their names, whatever order they were given in", () =>
    Effect.gen(function* () {
      const toolbox = yield* Toolbox.withOwn([named("Read"), named("Bash")], [named("Put"), named("Act")])
      expect(toolbox.names).toEqual(["Act", "Bash", "Put", "Read"])
      expect(toolbox.specs.map(({ name }) => name)).toEqual(toolbox.names)
    })
  )

  it.effect("have names of 1 to 64 characters, one that takes another's place too", () =>
    Effect.gen(function* () {
      const longest = "x".repeat(64)
      expect((yield* Toolbox.withOwn([], [named(longest)])).names).toEqual([longest])
      for (const name of ["", `${longest}x`, "a.b", "naïve"]) {
        expect(yield* Effect.flip(Toolbox.withOwn([], [named(name)]))).toMatchObject({ reason: "BadName" })
      }
      const odd = Tool.make({ name: "a b", description: "d", replaces: true, run: () => Effect.void })
      expect(yield* Effect.flip(Toolbox.withOwn([odd], [odd]))).toMatchObject({ reason: "BadName" })
    })
  )

  it.effect("may take one of several objects, and nothing that a model cannot be told", () =>
    Effect.gen(function* () {
      const Either = Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String })])
      expect((yield* Toolbox.withOwn([], [named("Put", Either)])).names).toEqual(["Put"])
      const unknown: Tool.Tool = {
        ...named("Put"),
        spec: {
          name: "Put",
          description: "d",
          get parameters(): Schema.JsonObject {
            throw new Error("no form")
          }
        }
      }
      const error = yield* Effect.flip(Toolbox.withOwn([], [unknown]))
      expect(error).toMatchObject({ reason: "BadParameters" })
      expect(error.message).toContain("have no JSON Schema: no form")
    })
  )
})
