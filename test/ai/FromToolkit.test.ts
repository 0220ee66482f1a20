import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as AiTool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import type * as Scripted from "../../layers/llm/Scripted.ts"
import * as PodTest from "../../layers/PodTest.ts"
import * as FromToolkit from "../../src/ai/FromToolkit.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import * as Pod from "../../src/pod/Pod.ts"
import type { Envelope } from "../../src/protocol/Event.ts"
import type { Tool } from "../../src/tools/Tool.ts"
import { isEvent, until } from "../support/podBench.ts"

class NoSuchArticle extends Schema.TaggedError<NoSuchArticle>()("NoSuchArticle", {
  article: Schema.String,
  nearest: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `There is no article ${this.article}.`
  }
}

/** What a handler needs, from wherever the program has it. */
class Stock extends Context.Service<Stock, { readonly of: (article: string) => number | undefined }>()("test/Stock") {}

const StockOf = AiTool.make("StockOf", {
  description: "How many pieces are in stock.",
  parameters: Schema.Struct({ article: Schema.String, note: Schema.optionalKey(Schema.String) }),
  success: Schema.Struct({ pieces: Schema.Int, counted: Schema.DateTimeUtcFromString }),
  failure: NoSuchArticle,
  dependencies: [Stock]
}).annotate(AiTool.Readonly, true)

const Count = AiTool.make("Count", {
  description: "Counts slowly.",
  parameters: Schema.Struct({ to: Schema.Int }),
  success: Schema.String,
  failure: Schema.String,
  failureMode: "return"
})

const Pay = AiTool.make("Pay", { success: Schema.String, needsApproval: true })

const toolkit = Toolkit.make(StockOf, Count, Pay)

const counted = Schema.decodeSync(Schema.DateTimeUtcFromString)("2026-01-02T03:04:05.000Z")

const handlers = toolkit.toLayer({
  StockOf: ({ article }) =>
    Effect.flatMap(Stock, (stock) => {
      const pieces = stock.of(article)
      return pieces === undefined
        ? Effect.fail(new NoSuchArticle({ article, nearest: ["apple"] }))
        : Effect.succeed({ pieces, counted })
    }),
  Count: ({ to }, { preliminary }) =>
    to > 2 ? Effect.fail("I cannot count that far") : Effect.andThen(preliminary("one"), Effect.succeed("one, two")),
  Pay: () => Effect.die(new Error("it was run"))
})

const stock = Layer.succeed(Stock, { of: (article) => (article === "apple" ? 3 : undefined) })

const manifest = Manifest.make({ pod: { name: "shop" }, scope: { allow: [{ target: "/tmp", permission: "read" }] } })

const made = FromToolkit.tools(toolkit).pipe(Effect.provide(Layer.merge(handlers, stock)))

const results = (seen: ReadonlyArray<Envelope>) =>
  Object.fromEntries(
    seen.flatMap((event) =>
      event.event === "tool_result" ? [[event.data.id, [event.data.is_error, event.data.summary]]] : []
    )
  )

const script = (...steps: Scripted.ScriptCall["steps"]) => PodTest.layer([{ steps }, { steps: [{ text: "done" }] }])

const turn = Effect.fnUntraced(function* (tools: ReadonlyArray<Tool>) {
  const pod = yield* Pod.make(yield* manifest, { tools })
  const { take } = yield* pod.attach
  yield* pod.run("go")
  return yield* until(take, isEvent("run_end"))
})

describe("an effect/ai Toolkit as tools of a pod", () => {
  it.effect("results and failures are what their schemas encode; bad arguments reach no handler", () =>
    Effect.gen(function* () {
      const seen = yield* turn(yield* made)
      expect(results(seen)).toEqual({
        ok: [false, '{"pieces":3,"counted":"2026-01-02T03:04:05.000Z"}'],
        null: [false, '{"pieces":3,"counted":"2026-01-02T03:04:05.000Z"}'],
        none: [true, 'There is no article pear.\n{"_tag":"NoSuchArticle","article":"pear","nearest":["apple"]}'],
        bad: [true, expect.stringMatching(/^StockOf: Expected string.*\["article"\]/s)],
        text: [false, "one, two"],
        returned: [true, "I cannot count that far"],
        pay: [true, "Pay needs an approval, and nobody can be asked: it was not run."]
      })
      expect(seen.filter(isEvent("tool_output"))).toMatchObject([{ data: { id: "text", text: "one\n" } }])
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
    }).pipe(
      Effect.scoped,
      Effect.provide(
        script(
          { tool: "StockOf", id: "ok", args: { article: "apple" } },
          { tool: "StockOf", id: "null", args: { article: "apple", note: null } },
          { tool: "StockOf", id: "none", args: { article: "pear" } },
          { tool: "StockOf", id: "bad", args: { article: 7 } },
          { tool: "Count", id: "text", args: { to: 2 } },
          { tool: "Count", id: "returned", args: { to: 3 } },
          { tool: "Pay", id: "pay", args: {} }
        )
      )
    )
  )

  it.effect("the schema, the annotations and what is declared besides", () =>
    Effect.gen(function* () {
      const tools = yield* FromToolkit.tools(toolkit, {
        Count: { idempotent: true, mutates: ({ to }) => [`/tmp/${to}`] }
      }).pipe(Effect.provide(Layer.merge(handlers, stock)))
      const [stockOf, count, pay] = tools
      expect(stockOf?.spec).toMatchObject({
        description: "How many pieces are in stock.",
        parameters: { type: "object", required: ["article"] }
      })
      expect(tools.map(({ idempotent }) => idempotent)).toEqual([true, true, false])
      // What a Toolkit's schema does not declare is nobody's business either.
      const accepted = stockOf?.accept({ article: "apple", path: "/etc", note: null })
      expect(yield* accepted ?? Effect.void).toEqual({ article: "apple" })
      expect(count?.mutates({ to: 2 })).toEqual(["/tmp/2"])
      expect(count?.mutates({ to: "no" })).toEqual([])
      expect(pay?.spec.parameters).toMatchObject({ type: "object", properties: {} })
    })
  )

  it.effect("cancel reaches the handler", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const left = yield* Deferred.make<void>()
      const Wait = Toolkit.make(AiTool.make("Wait"))
      const tools = yield* FromToolkit.tools(Wait).pipe(
        Effect.provide(
          Wait.toLayer({
            Wait: () =>
              Effect.andThen(Deferred.succeed(begun, undefined), Effect.never).pipe(
                Effect.onInterrupt(() => Deferred.succeed(left, undefined))
              )
          })
        )
      )
      const pod = yield* Pod.make(yield* manifest, { tools })
      yield* pod.run("go")
      yield* Deferred.await(begun)
      yield* pod.cancel
      yield* Deferred.await(left)
    }).pipe(Effect.scoped, Effect.provide(script({ tool: "Wait", args: {} })))
  )

  it.effect("a handler that breaks is a result, and shows nothing of where it broke", () =>
    Effect.gen(function* () {
      const Break = Toolkit.make(AiTool.make("Break"))
      const tools = yield* FromToolkit.tools(Break).pipe(
        Effect.provide(Break.toLayer({ Break: () => Effect.die(new Error("at /home/of-the-operator")) }))
      )
      const seen = yield* turn(tools)
      expect(results(seen)).toEqual({ c: [true, "Break broke; this is a defect of the tool"] })
      expect(JSON.stringify(seen)).not.toContain("of-the-operator")
    }).pipe(Effect.scoped, Effect.provide(script({ tool: "Break", id: "c", args: {} })))
  )

  it.effect("a tool that a vendor runs itself is refused by name", () =>
    Effect.gen(function* () {
      const Search = AiTool.providerDefined({
        id: "vendor.search",
        customName: "Search",
        providerName: "search"
      })(undefined)
      const error = yield* Effect.flip(FromToolkit.tools(Toolkit.make(Search)))
      expect(error).toMatchObject({ _tag: "ToolDefinitionError", reason: "NoHandler", tool: "Search" })
    })
  )
})
