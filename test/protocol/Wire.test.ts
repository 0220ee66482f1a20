/** Values become lines that strict readers take; lines become methods, or errors that a person can act on. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { methodNames } from "../../src/protocol/Method.ts"
import { nearest } from "../../src/protocol/Nearest.ts"
import { decodeMethod, encodeLine, type InvalidMethod } from "../../src/protocol/Wire.ts"
import { fixture } from "./fixture.ts"

const failure = (line: string): InvalidMethod => {
  const result = decodeMethod(line)
  assert.isTrue(Result.isFailure(result), line)
  return (result as Result.Failure<never, InvalidMethod>).failure
}

const refusal = (line: string): string => failure(line).message

describe("encodeLine", () => {
  const encoded = (value: object): string => encodeLine(value).slice(0, -1)

  it("is compact JSON and a newline", () => {
    assert.strictEqual(encodeLine({ a: [1, "é\n"] }), '{"a":[1,"é\\n"]}\n')
  })

  it("repairs a lone surrogate wherever it stands and leaves pairs alone", () => {
    assert.strictEqual(encoded({ a: "x\ud83dy" }), '{"a":"x\ufffdy"}')
    assert.strictEqual(encoded({ a: "\udc00\ud800" }), '{"a":"\ufffd\ufffd"}')
    assert.strictEqual(encoded({ a: "😀\ude00" }), '{"a":"😀\ufffd"}')
    assert.strictEqual(encoded({ "\ud800": 1 }), '{"\ufffd":1}')
  })

  it("does not take a backslash in the text for an escape", () => {
    for (const value of ["\\ud800", "\\\\ud800", "C:\\users\\udine", "\\u", "\\"]) {
      assert.deepStrictEqual(JSON.parse(encodeLine({ value })), { value })
      assert.deepStrictEqual(JSON.parse(encodeLine({ value: `${value}\ud800` })), { value: `${value}\ufffd` })
    }
  })

  const unit = Schema.Literals(["\ud83d", "\ude00", "😀", "\\", "u", "\\ud800", "d800", '"', "a", "\n", "\u0000", "é"])
  it.prop(
    "is UTF-8 that reads back as the well-formed text",
    [Arbitrary.array(Arbitrary.schema(unit))],
    ([units]) => {
      const value = units.join("")
      const line = encodeLine({ value, [value]: [value] })
      assert.strictEqual(new TextDecoder("utf-8", { fatal: true }).decode(new TextEncoder().encode(line)), line)
      assert.notMatch(line, /(?<!\\)(\\\\)*\\ud[89a-f]/)
      assert.notInclude(line.slice(0, -1), "\n")
      const whole = value.toWellFormed()
      assert.deepStrictEqual(JSON.parse(line), JSON.parse(JSON.stringify({ value: whole, [whole]: [whole] })))
    },
    { arbitrary: { runs: 500 } }
  )
})

describe("decodeMethod accepts", () => {
  const accepted = (line: string): unknown => Result.getOrThrow(decodeMethod(line))

  it("absent or null params where there are none to give", () => {
    for (const method of ["resume", "compact", "list_rewind_targets", "shutdown", "list_visible_pods", "list_inbox"]) {
      assert.deepStrictEqual(accepted(`{"method":"${method}"}`), { method })
      assert.deepStrictEqual(accepted(`{"method":"${method}","params":null}`), { method, params: null })
    }
  })

  it("absent, null or empty params where all may be left out", () => {
    for (const method of ["cancel", "pause"]) {
      assert.deepStrictEqual(accepted(`{"method":"${method}"}`), { method })
      assert.deepStrictEqual(accepted(`{"method":"${method}","params":null}`), { method })
      assert.deepStrictEqual(accepted(`{"method":"${method}","params":{}}`), { method, params: {} })
      assert.deepStrictEqual(accepted(`{"method":"${method}","params":{"run_id":null}}`), { method, params: {} })
    }
  })

  it("any order of keys, and keys that it does not know", () => {
    assert.deepStrictEqual(accepted(`{"x":{"method":1},"params":{"message":"m","y":2},"id":"i","method":"notify"}`), {
      method: "notify",
      id: "i",
      params: { message: "m" }
    })
  })

  it("an id of 128 characters, however many code units they take", () => {
    const id = "😀".repeat(128)
    assert.deepStrictEqual(accepted(JSON.stringify({ method: "resume", id })), { method: "resume", id })
  })
})

describe("decodeMethod refuses", () => {
  it("what is not a JSON object", () => {
    for (const line of ["", "{", "nonsense", '{"method":"run",}']) {
      assert.match(refusal(line), /^invalid method: not JSON: \S/)
    }
    const expected = 'invalid method: expected an object {"method", "id"?, "params"?}, got'
    assert.strictEqual(refusal("null"), `${expected} null`)
    assert.strictEqual(refusal("[]"), `${expected} an array`)
    assert.strictEqual(refusal('"run"'), `${expected} a string`)
  })

  it("a missing, wrong or unknown method, and names the nearest one", () => {
    assert.strictEqual(refusal("{}"), 'invalid method: "method" is missing')
    assert.strictEqual(refusal('{"method":null}'), 'invalid method: "method" is not a string')
    assert.strictEqual(refusal('{"method":"rum"}'), 'invalid method: unknown method "rum"; did you mean "run"?')
    assert.strictEqual(
      refusal('{"method":"listInbox"}'),
      'invalid method: unknown method "listInbox"; did you mean "list_inbox"?'
    )
    assert.strictEqual(
      refusal('{"method":"frobnicate"}'),
      `invalid method: unknown method "frobnicate"; known are ${methodNames.join(", ")}`
    )
    assert.include(refusal('{"method":"constructor"}'), "unknown method")
    assert.isBelow(refusal(JSON.stringify({ method: "x".repeat(100_000) })).length, 500)
  })

  it("a field that is missing or wrong, and says where it is", () => {
    assert.strictEqual(refusal('{"method":"run"}'), "invalid method: run: params is missing")
    assert.strictEqual(
      refusal('{"method":"run","params":{"input":[{"kind":"text","content":"a"},{"kind":"text"}]}}'),
      "invalid method: run: params.input[1].content is missing"
    )
    assert.strictEqual(
      refusal('{"method":"list_completions","params":{"kind":"fil","prefix":""}}'),
      'invalid method: list_completions: params.kind: expected "file" | "knowledge" | "workflow", got "fil"'
    )
    assert.strictEqual(
      refusal('{"method":"read_entries","params":{"from":0,"limit":1001}}'),
      "invalid method: read_entries: params.limit: expected a value between 0 and 1000, got 1001"
    )
    assert.strictEqual(
      refusal('{"method":"pod_event","params":{"kind":"shutdown"}}'),
      'invalid method: pod_event: params: expected an object with "kind": "turn_ended", "errored", "shut_down" or ' +
        '"scope_sub_delegated", got an object'
    )
  })

  it("params of a method that has none", () => {
    for (const params of ["{}", '{"a":1}', "[]", "0", '""']) {
      assert.match(
        refusal(`{"method":"resume","params":${params}}`),
        /^invalid method: resume: params: expected no params \(left out, or null\), got /
      )
    }
    assert.match(refusal('{"method":"cancel","params":[]}'), /^invalid method: cancel: params: expected .* an array$/)
  })

  it("keys of the envelope that are there twice", () => {
    const twice = (key: string) => `invalid method: the key "${key}" is there twice`
    assert.strictEqual(refusal('{"method":"resume","method":"shutdown"}'), twice("method"))
    assert.strictEqual(refusal('{"method":"resume", "x": ["a\\\\"], "method" :"resume"}'), twice("method"))
    assert.strictEqual(refusal('{"method":"cancel","params":{},"params":null}'), twice("params"))
    const ids = failure('{"id":"a","method":"resume","id":"b"}')
    assert.strictEqual(ids.message, twice("id"))
    assert.isUndefined(ids.id, "neither can be answered")
  })

  it("but not the same words inside the params or inside a text", () => {
    const lines = [
      '{"id":"a","method":"run","params":{"method":1,"id":2,"input":[{"kind":"paste","id":1,"chars":1,"lines":1,"content":"c"}]}}',
      '{"method":"notify","params":{"message":"{\\"method\\":1,\\"method\\":2}\\\\"}}',
      '{"method":"notify","x":["method","id","id","params"],"params":{"message":""}}'
    ]
    for (const line of lines) assert.isTrue(Result.isSuccess(decodeMethod(line)), line)
  })

  it("with the id of the request, whenever it has a good one", () => {
    for (const line of [
      '{"id":"r1"}',
      '{"id":"r1","method":"rum"}',
      '{"id":"r1","method":"run","params":{}}',
      '{"id":"r1","method":"resume","method":"resume"}'
    ])
      assert.strictEqual(failure(line).id, "r1", line)
    for (const line of [
      '{"id":7,"method":"resume"}',
      '{"id":"","method":"resume"}',
      JSON.stringify({ id: "x".repeat(129), method: "resume" }),
      '{"id":"r1"'
    ])
      assert.isUndefined(failure(line).id, line)
  })

  it("in one line, and without repeating what was sent at length", () => {
    const message = refusal(JSON.stringify({ method: "notify", params: { message: ["a\nb".repeat(10_000)] } }))
    assert.strictEqual(message, "invalid method: notify: params.message: expected string, got an array")
    assert.notMatch(refusal('{"a\nb":1}'), /\n/)
  })
})

describe("decodeMethod never throws", () => {
  const lines = fixture("native-methods")
  const edit = Schema.Struct({
    line: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: lines.length - 1 })),
    at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 })),
    remove: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 })),
    insert: Schema.Literals(["", '"', "{", "}", "[", "null", "5", "\\", ",", ":", '"method":', "\ud800", '"id":1,'])
  })

  it.prop(
    "on lines that were damaged",
    [edit],
    ([{ at, insert, line, remove }]) => {
      const whole = lines[line]!
      const damaged = whole.slice(0, at) + insert + whole.slice(at + remove)
      const result = decodeMethod(damaged)
      if (Result.isFailure(result)) assert.match(result.failure.message, /^invalid method: [^\n]+$/)
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "on any JSON",
    [Schema.Json],
    ([value]) => {
      decodeMethod(JSON.stringify(value))
      decodeMethod(JSON.stringify({ method: "run", params: value }))
      decodeMethod(JSON.stringify({ method: "pod_event", id: value, params: { input: value } }))
    },
    { arbitrary: { runs: 300 } }
  )

  it("on text that is nested deeply", () => {
    const depth = 200_000
    const nested = `${"[".repeat(depth)}${"]".repeat(depth)}`
    assert.isTrue(Result.isFailure(decodeMethod(nested)))
    assert.isTrue(Result.isSuccess(decodeMethod(`{"method":"resume","x":${nested}}`)))
    assert.isTrue(Result.isFailure(decodeMethod(`{"method":"notify","params":{"message":${nested}}}`)))
    assert.isTrue(Result.isFailure(decodeMethod(`{"method":"resume","params":${nested}}`)))
  })
})

describe("nearest", () => {
  it("forgives case, separators, slips and swaps, but not a different word", () => {
    assert.strictEqual(nearest("Shut-Down", methodNames), "shutdown")
    assert.strictEqual(nearest("resmue", methodNames), "resume")
    assert.strictEqual(nearest("cancell", methodNames), "cancel")
    assert.strictEqual(nearest("inspect", methodNames), undefined)
    assert.strictEqual(nearest("", methodNames), undefined)
    assert.strictEqual(nearest("x".repeat(65), methodNames), undefined)
  })
})
