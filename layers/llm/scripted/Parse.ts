/** Reads a script file. All of it is checked before the first call, so that a typing error does not wait for its turn. */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { Expectation, type FileStep, type ScriptCall, steps } from "./Script.ts"

export interface Problem {
  /** From 1. */
  readonly line: number
  readonly problem: string
}

export const parseScript = (text: string): { readonly calls: ReadonlyArray<ScriptCall> } | Problem => {
  const calls: Array<ScriptCall> = []
  for (const [index, content] of text.split("\n").entries()) {
    if (content.trim() === "") continue
    const line = index + 1
    const call = parseCall(content, line)
    if (typeof call === "string") return { line, problem: call }
    calls.push(call)
  }
  return { calls }
}

const strict = { onExcessProperty: "error" } as const

const Call = Schema.Struct({
  steps: Schema.Array(Schema.Record(Schema.String, Schema.Json)),
  expect: Schema.optionalKey(Expectation)
})
const decodeCall = Schema.decodeUnknownExit(Call, strict)

const decodeStep = new Map(
  Object.entries(steps).map(([key, schema]): [string, (step: unknown) => Exit.Exit<FileStep, Schema.SchemaError>] =>
    // Every one of them decodes to a step, which the compiler does not see through the union of their schemas.
    [key, Schema.decodeUnknownExit(schema as Schema.Codec<FileStep, unknown>, strict)]
  )
)

const parseCall = (content: string, line: number): ScriptCall | string => {
  let json: unknown
  try {
    json = JSON.parse(content)
  } catch (error) {
    return `not valid JSON (${error instanceof Error ? error.message : String(error)})`
  }
  const call = decodeCall(json)
  if (Exit.isFailure(call)) return oneLine(call)
  const out: Array<FileStep> = []
  for (const [index, step] of call.value.steps.entries()) {
    const where = `step ${index + 1}: `
    const kinds = Object.keys(step).filter((key) => key in steps)
    const decode = kinds.length === 1 ? decodeStep.get(kinds[0] ?? "") : undefined
    if (decode === undefined) {
      return `${where}expected exactly one of ${Object.keys(steps).join(", ")}; found ${
        Object.keys(step).join(", ") || "nothing"
      }`
    }
    const decoded = decode(step)
    if (Exit.isFailure(decoded)) return where + oneLine(decoded)
    out.push(decoded.value)
  }
  return { steps: out, line, ...(call.value.expect === undefined ? {} : { expect: call.value.expect }) }
}

const oneLine = (failed: Exit.Failure<unknown, Schema.SchemaError>): string => {
  const reason = failed.cause.reasons[0]
  return (reason?._tag === "Fail" ? reason.error.message : "not understood").replace(/\s*\n\s*/g, " ")
}
