import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as Toolbox from "../../src/agent/Toolbox.ts"
import type { Envelope } from "../../src/protocol/Event.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { counting, stuck } from "../support/benchTools.ts"
import { fileOf, fresh, isEvent, names, open, rest, until } from "../support/podBench.ts"

class NoSuchArticle extends Schema.TaggedError<NoSuchArticle>()("NoSuchArticle", { article: Schema.String }) {}

const results = (seen: ReadonlyArray<Envelope>) =>
  Object.fromEntries(
    seen.flatMap((event) =>
      event.event === "tool_result"
        ? [[event.data.id, [event.data.is_error, [event.data.summary, event.data.output].join("|")]]]
        : []
    )
  )

class Closed extends Schema.TaggedError<Closed>()("Closed", { message: Schema.String }) {}

const longAgo = new Date("1970-01-01T00:00:00.000Z")
const newYear = new Date("2026-01-02T00:00:00.000Z")

type Call = { readonly id: string; readonly name: string; readonly args: object }

/** One run whose model calls these tools and is content with what it gets. */
const turn = Effect.fnUntraced(function* (tools: ReadonlyArray<Tool.Tool>, ...calls: ReadonlyArray<Call>) {
  const pod = yield* fresh({ tools })
  yield* pod.handle.run("go")
  yield* Effect.flatMap(pod.model.next, (call) => call.callTools(...calls))
  yield* Effect.flatMap(pod.model.next, (call) => call.answer("done"))
  const seen = yield* until(pod.take, isEvent("run_end"))
  expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
  return results(seen)
})

const tool = <E extends Tool.Told>(name: string, run: () => Effect.Effect<string | Tool.ToolOutput | void, E>) =>
  Tool.make({ name, description: name, run })

describe("a tool of one's own", () => {
  it.effect("gives a text, a value by its schema, or nothing", () =>
    Effect.gen(function* () {
      const stock = Tool.make({
        name: "Stock",
        description: "what is there",
        success: Schema.Struct({ pieces: Schema.Int, since: Schema.Date }),
        run: () => Effect.succeed({ pieces: 3, since: longAgo })
      })
      const long = `the first line\n${"x".repeat(400)}`
      const seen = yield* turn(
        [
          stock,
          tool("Text", () => Effect.succeed("fine")),
          tool("Nothing", () => Effect.void),
          tool("Long", () => Effect.succeed(long)),
          tool("Line", () => Effect.succeed("y".repeat(400)))
        ],
        ...["Stock", "Text", "Nothing", "Long", "Line"].map((name) => ({ id: name, name, args: {} }))
      )
      expect(seen).toEqual({
        Stock: [false, '{"pieces":3,"since":"1970-01-01T00:00:00.000Z"}|'],
        Text: [false, "fine|"],
        Nothing: [false, "done|"],
        Long: [false, `the first line|${"x".repeat(400)}`],
        Line: [false, `400 characters:|${"y".repeat(400)}`]
      })
    }).pipe(Effect.scoped)
  )

  it.effect("tells its errors: by message, by schema, by name where there is no word", () =>
    Effect.gen(function* () {
      const bySchema = Tool.make({
        name: "Schema",
        description: "fails",
        failure: NoSuchArticle,
        run: () => Effect.fail(new NoSuchArticle({ article: "pear" }))
      })
      const seen = yield* turn(
        [
          bySchema,
          tool("Message", () => Effect.fail(new Closed({ message: "the shop is closed" }))),
          tool("Tag", () => Effect.fail(new NoSuchArticle({ article: "pear" }))),
          tool("Own", () => Effect.fail(new Tool.ToolError({ reason: "InvalidArgument", message: "not like this" })))
        ],
        ...["Schema", "Message", "Tag", "Own"].map((name) => ({ id: name, name, args: {} }))
      )
      expect(seen).toEqual({
        Schema: [true, 'NoSuchArticle\n{"_tag":"NoSuchArticle","article":"pear"}|'],
        Message: [true, "the shop is closed|"],
        Tag: [true, "NoSuchArticle|"],
        Own: [true, "not like this|"]
      })
    }).pipe(Effect.scoped)
  )

  it.effect("gets arguments as its schema decodes them; null is absent only where it is no value", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const take = Tool.make({
        name: "Take",
        description: "takes",
        parameters: Schema.Struct({
          on: Schema.optionalKey(Schema.Date),
          of: Schema.NullOr(Schema.String)
        }),
        run: (args) => Effect.sync(() => void seen.push(args))
      })
      yield* turn(
        [take],
        { id: "1", name: "Take", args: { on: "2026-01-02T00:00:00.000Z", of: null } },
        { id: "2", name: "Take", args: { of: "x", on: null } }
      )
      expect(seen).toEqual([{ on: newYear, of: null }, { of: "x" }])
    }).pipe(Effect.scoped)
  )

  it.effect("runs in call order with others that change the same path, however they write it", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const put = Tool.make({
        name: "Put",
        description: "puts",
        parameters: Schema.Struct({ path: Schema.String, text: Schema.String }),
        mutates: ({ path }) => [path],
        run: ({ text }) =>
          Effect.gen(function* () {
            order.push(`${text} begins`)
            if (text === "one") yield* Deferred.await(gate)
            order.push(`${text} ends`)
          })
      })
      const pod = yield* fresh({ tools: [put] })
      yield* pod.handle.run("go")
      const call = yield* pod.model.next
      yield* call.callTools(
        { id: "1", name: "Put", args: { path: "/w/a", text: "one" } },
        { id: "2", name: "Put", args: { path: "/w/b/../a", text: "two" } },
        { id: "3", name: "Put", args: { path: "/w/c", text: "other" } }
      )
      yield* until(pod.take, (event) => event.event === "tool_result" && event.data.id === "3")
      yield* rest
      expect(order).toEqual(["one begins", "other begins", "other ends"])
      yield* Deferred.succeed(gate, undefined)
      yield* pod.model.next
      expect(order.slice(3)).toEqual(["one ends", "two begins", "two ends"])
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    [true, 1, { id: "c1", isError: false, text: "done" }],
    [false, 0, { id: "c1", isError: true, text: expect.stringContaining("unknown") }]
  ] as const)("idempotent %s: after a crash in its middle it is run %i times again", ([idempotent, times, answer]) =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const { begun, tool: stuckTool } = yield* stuck(idempotent)
      const first = yield* open(memory, { tools: [stuckTool] })
      yield* first.handle.run("go")
      yield* Effect.flatMap(first.model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
      yield* Deferred.await(begun)
      const again = counting("Stuck", idempotent)
      const second = yield* open(memory, { tools: [again.tool], onInterrupted: "resume" })
      const { request } = yield* second.model.next
      expect(request.messages.at(-1)).toMatchObject({ role: "tool", results: [answer] })
      expect(again.runs()).toBe(times)
    }).pipe(Effect.scoped)
  )

  it.effect("says nothing of repeating: then it is not run again", () =>
    Effect.sync(() => expect(tool("Quiet", () => Effect.void).idempotent).toBe(false))
  )

  it.effect("breaks, wherever: the model gets a result without a stack, and the run goes on", () =>
    Effect.gen(function* () {
      const thrower = (): never => {
        throw new Error("at /home/of-the-operator")
      }
      const bare: Tool.Tool = { ...tool("Bare", () => Effect.void), run: thrower }
      const paths = Tool.make({ name: "Paths", description: "x", mutates: thrower, run: () => Effect.succeed("ran") })
      const shape = Tool.make({
        name: "Shape",
        description: "gives what its schema does not know",
        success: Schema.Struct({ n: Schema.Int }),
        run: () => Effect.succeed({ n: 0.5 })
      })
      const seen = yield* turn(
        [
          tool("Dies", () => Effect.die(new Error("at /home/of-the-operator"))),
          tool("Throws", thrower),
          bare,
          paths,
          shape
        ],
        ...["Dies", "Throws", "Bare", "Paths", "Shape"].map((name) => ({ id: name, name, args: {} }))
      )
      const broke = (name: string) => [true, `${name} broke; this is a defect of the tool|`]
      expect(seen).toEqual({
        Dies: broke("Dies"),
        Throws: broke("Throws"),
        Bare: broke("Bare"),
        Paths: broke("Paths"),
        Shape: [true, expect.stringContaining("Shape: ")]
      })
      expect(JSON.stringify(seen)).not.toContain("of-the-operator")
    }).pipe(Effect.scoped)
  )

  it.effect("is journalled as started before it runs", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const begun = yield* Deferred.make<ReadonlyArray<string>>()
      const look: Tool.Tool = tool("Look", () =>
        Effect.asVoid(Deferred.succeed(begun, names(fileOf(memory, first.ref))))
      )
      const first = yield* open(memory, { tools: [look] })
      yield* first.handle.run("go")
      yield* Effect.flatMap(first.model.next, (call) => call.callTools({ id: "c1", name: "Look", args: {} }))
      expect((yield* Deferred.await(begun)).at(-1)).toBe("pod.tool started")
    }).pipe(Effect.scoped)
  )
})

describe("tools that a pod cannot have", () => {
  const builtin = [tool("Read", () => Effect.void)]
  const parameters = Schema.String as unknown as Schema.Codec<unknown, unknown>
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Tool.Tool>, object]> = [
    [
      "the name of a built-in one",
      [tool("Read", () => Effect.void)],
      { reason: "NameTaken", tool: "Read", hint: expect.stringContaining("replaces: true") }
    ],
    ["one name twice", [tool("Mine", () => Effect.void), tool("Mine", () => Effect.void)], { reason: "NameTaken" }],
    ["a name that vendors refuse", [tool("my tool", () => Effect.void)], { reason: "BadName", tool: "my tool" }],
    [
      "arguments that are no object",
      [Tool.make({ name: "Text", description: "x", parameters, run: () => Effect.void })],
      { reason: "BadParameters", tool: "Text" }
    ]
  ]
  it.effect.each(cases)("%s", ([, own, expected]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Toolbox.withOwn(builtin, own))
      expect(error).toMatchObject({ _tag: "ToolDefinitionError", ...expected })
      expect(error.message).toContain(error.tool)
    })
  )

  it.effect("but one may say that it replaces a built-in one", () =>
    Effect.gen(function* () {
      const mine = Tool.make({ name: "Read", description: "mine", replaces: true, run: () => Effect.void })
      const toolbox = yield* Toolbox.withOwn(builtin, [mine])
      expect(toolbox.get("Read")?.spec.description).toBe("mine")
    })
  )
})

describe("the JSON Schema of a tool's arguments", () => {
  const of = (parameters: Schema.Codec<unknown, unknown>) =>
    Tool.make({ name: "T", description: "t", parameters, run: () => Effect.void }).spec.parameters

  it("is an object without arguments, with a name, or with itself inside", () => {
    expect(tool("T", () => Effect.void).spec.parameters).toEqual({ type: "object", properties: {} })
    class Named extends Schema.Class<Named>("Named")({ x: Schema.String }) {}
    expect(of(Named)).toMatchObject({ type: "object", properties: { x: { type: "string" } } })
    expect(of(Named)).not.toHaveProperty("$ref")
    interface Tree {
      readonly children: ReadonlyArray<Tree>
    }
    const Tree = Schema.Struct({
      children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
    }).annotate({ identifier: "Tree" })
    expect(of(Tree)).toMatchObject({
      type: "object",
      properties: { children: { items: { $ref: "#/$defs/Tree" } } },
      $defs: { Tree: { type: "object" } }
    })
  })
})
