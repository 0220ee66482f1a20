/** Every example line of the wire, log and file formats decodes, and is written as it was. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Event } from "../../src/protocol/Event.ts"
import { LoggedItem } from "../../src/protocol/Item.ts"
import { LogEntry } from "../../src/protocol/LogEntry.ts"
import { Method, methodNames } from "../../src/protocol/Method.ts"
import { isControl, PodRecord, record } from "../../src/protocol/PodRecord.ts"
import { PodRegistry } from "../../src/protocol/PodRegistry.ts"
import { SeedStatusFile, SpawnedPodsFile } from "../../src/protocol/RuntimeFiles.ts"
import { SeedEvent } from "../../src/protocol/SeedEvent.ts"
import { Segment } from "../../src/protocol/Segment.ts"
import { SpawnConfig } from "../../src/protocol/SpawnConfig.ts"
import { SystemItem } from "../../src/protocol/SystemItem.ts"
import { decodeMethod, encodeLine } from "../../src/protocol/Wire.ts"
import { PodMetadata } from "../../src/session/PodStore.ts"
import { fixture } from "./fixture.ts"

const files: Readonly<Record<string, Schema.Codec<unknown, unknown>>> = {
  "seed-methods": Method,
  "native-methods": Method,
  "seed-events": SeedEvent,
  "native-events": Event,
  "log-entries": LogEntry,
  "native-entries": LogEntry,
  items: LoggedItem,
  "system-items": SystemItem,
  segments: Segment,
  "pod-metadata": PodMetadata,
  "seed-status-file": SeedStatusFile,
  "spawned-pods": SpawnedPodsFile,
  "pod-registry": PodRegistry,
  "spawn-config": SpawnConfig
}

for (const [name, schema] of Object.entries(files)) {
  const decode = Schema.decodeUnknownSync(schema)
  const encode = Schema.encodeSync(schema)
  describe(`${name}.jsonl`, () => {
    fixture(name).forEach((line, index) =>
      it(`line ${index + 1} is read and written back`, () => {
        const parsed: unknown = JSON.parse(line)
        const decoded = decode(parsed)
        assert.deepStrictEqual(JSON.parse(encodeLine(decoded as object)), parsed)
        assert.deepStrictEqual(encode(decoded), decoded, "what is decoded is already what is written")
      })
    )
  })
}

const names = (fixtures: ReadonlyArray<string>, key: string): ReadonlyArray<string> =>
  Array.from(
    new Set(fixtures.flatMap(fixture).map((line) => (JSON.parse(line) as Record<string, string>)[key]!))
  ).toSorted()

const literals = (schemas: ReadonlyArray<{ readonly ast: { readonly literal?: unknown } }>): ReadonlyArray<string> =>
  Array.from(new Set(schemas.map((schema) => String(schema.ast.literal)))).toSorted()

describe("the examples are complete", () => {
  it("one of each of the 14 methods of the seed", () => {
    assert.deepStrictEqual(names(["seed-methods"], "method"), [
      "attach_or_restore_pod",
      "cancel",
      "compact",
      "inspect_pod",
      "list_completions",
      "list_rewind_targets",
      "list_visible_pods",
      "notify",
      "pause",
      "pod_event",
      "resume",
      "rewind_to",
      "run",
      "shutdown"
    ])
  })

  it("one of each method", () => {
    assert.deepStrictEqual(names(["native-methods"], "method"), [...methodNames].toSorted())
  })

  it("one of each of the 36 events of the seed", () => {
    const seed = names(["seed-events"], "event")
    assert.strictEqual(seed.length, 36)
    assert.deepStrictEqual(seed, literals(SeedEvent.members.map((member) => member.fields.event)))
  })

  it("one of each event", () => {
    assert.deepStrictEqual(
      names(["seed-events", "native-events"], "event"),
      literals(Event.members.map((member) => member.fields.event))
    )
  })

  it("one of each kind of log entry", () => {
    assert.deepStrictEqual(
      names(["log-entries"], "kind"),
      literals(LogEntry.members.map((member) => member.fields.kind))
    )
  })

  it("one of each record of ours", () => {
    const domains = fixture("native-entries").map((line) => (JSON.parse(line) as { domain?: string }).domain)
    assert.deepStrictEqual(
      Array.from(new Set(domains.filter((domain) => domain !== undefined))).toSorted(),
      literals(PodRecord.members.map((member) => member.fields.domain))
    )
  })
})

describe("a child in the runtime directory", () => {
  it("is written as in the metadata of its parent", () => {
    const metadata = fixture("pod-metadata").flatMap(
      (line) => Schema.decodeUnknownSync(PodMetadata)(JSON.parse(line)).spawned_children ?? []
    )
    assert.deepStrictEqual(metadata, JSON.parse(fixture("spawned-pods")[0]!))
  })
})

describe("methods", () => {
  for (const name of ["seed-methods", "native-methods"]) {
    it(`each line of ${name} is accepted from the wire`, () => {
      for (const line of fixture(name)) {
        const result = decodeMethod(line)
        assert.isTrue(Result.isSuccess(result), line)
        assert.deepStrictEqual(Result.getOrThrow(result), JSON.parse(line))
      }
    })
  }
})

describe("records of ours", () => {
  const decode = Schema.decodeUnknownSync(PodRecord)
  const entries = fixture("native-entries").map((line) => Schema.decodeUnknownSync(LogEntry)(JSON.parse(line)))

  it("are read from their entries and written back", () => {
    const ours = entries.filter((entry) => entry.kind === "extension")
    assert.deepStrictEqual(
      ours.map((entry) => record(entry.ts, decode(entry))),
      ours
    )
  })

  it("are left out of the log, but for the scope", () => {
    const visible = entries.filter((entry) => !isControl(entry))
    assert.deepStrictEqual(
      visible.map((entry) => (entry.kind === "extension" ? entry.domain : entry.kind)),
      ["pod.scope", "invoke", "user_input", "assistant_item", "tool_result", "run_completed", "run_errored"]
    )
  })
})
