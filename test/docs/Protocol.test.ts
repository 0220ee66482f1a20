import { describe, expect, it } from "vitest"
import * as Schema from "effect/Schema"
import { Header } from "../../src/cli/Portable.ts"
import { BroadcastEvent, Event } from "../../src/protocol/Event.ts"
import { LoggedItem } from "../../src/protocol/Item.ts"
import { LogEntry } from "../../src/protocol/LogEntry.ts"
import { Method, methodNames } from "../../src/protocol/Method.ts"
import { PodRecord } from "../../src/protocol/PodRecord.ts"
import { SeedEvent } from "../../src/protocol/SeedEvent.ts"
import { Segment } from "../../src/protocol/Segment.ts"
import { ErrorCode, RunResult } from "../../src/protocol/Status.ts"
import { SystemItem } from "../../src/protocol/SystemItem.ts"
import * as Limits from "../../src/server/Limits.ts"
import { blocks, read } from "./markdown.ts"

const page = read("docs/protocol.md")

const schemas: Readonly<Record<string, Schema.Codec<unknown, unknown>>> = {
  "json method": Method,
  "json event": Event,
  "json seed-event": SeedEvent,
  "json entry": LogEntry,
  "json segment": Segment,
  "json item": LoggedItem,
  "json system-item": SystemItem,
  "json export": Header
}

const examples = blocks(page)
  .filter(({ info }) => info.startsWith("json"))
  .flatMap(({ info, line, text }) =>
    text
      .trimEnd()
      .split("\n")
      .map((json, index) => ({ info, json, line: line + index }))
  )

describe("docs/protocol.md", () => {
  it("has examples of every sort", () => {
    expect(new Set(examples.map(({ info }) => info))).toEqual(new Set(Object.keys(schemas)))
  })

  it.each(examples)("line $line is what its schema says, and nothing more", ({ info, json }) => {
    const value: unknown = JSON.parse(json)
    // A key that the schema does not know is dropped by decoding: it would be missing here.
    expect(Schema.decodeUnknownSync(schemas[info]!)(value)).toEqual(value)
  })

  it("control records among the entries are ours", () => {
    const records = examples
      .map(
        ({ json }) =>
          JSON.parse(json) as { readonly kind?: string; readonly domain?: string; readonly payload?: unknown }
      )
      .filter(({ kind }) => kind === "extension")
    expect(records.length).toBeGreaterThan(5)
    for (const { domain, payload } of records) {
      expect(Schema.decodeUnknownSync(PodRecord)({ domain, payload })).toEqual({ domain, payload })
    }
  })

  const names = (members: ReadonlyArray<{ readonly fields: { readonly event: { readonly ast: unknown } } }>) =>
    members.map((member) => (member.fields.event.ast as { readonly literal: string }).literal)

  it.each([
    ...methodNames,
    ...names(BroadcastEvent.members),
    ...names(Event.members),
    ...RunResult.literals,
    ...ErrorCode.literals,
    ...PodRecord.members.map((member) => member.fields.domain.ast.literal)
  ])("names %s", (name) => {
    expect(page).toContain(`\`${name}\``)
  })

  it("has an example of every method", () => {
    const shown = examples.flatMap(({ info, json }) => (info === "json method" ? [JSON.parse(json).method] : []))
    expect(new Set(shown)).toEqual(new Set(methodNames))
  })

  it("gives the bounds of a connection as they are", () => {
    const { maxAnswerSize, maxEventSize, maxEvents, maxLineBytes, maxUnanswered } = Limits.defaults
    const mebi = 1024 * 1024
    expect(page).toContain(`| line from a client | ${maxLineBytes / mebi} MiB |`)
    expect(page).toContain(`| ${maxUnanswered}, or ${maxAnswerSize / mebi} MiB of answers that wait |`)
    expect(page).toContain(`| ${maxEvents.toLocaleString("en")}, or ${maxEventSize / mebi} Mi characters |`)
  })
})
