import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { segmentsOf } from "../../src/cli/Input.ts"
import { leaseError, storageError } from "../../src/cli/Failures.ts"
import { table } from "../../src/cli/List.ts"
import { exitCodeOf } from "../../src/cli/RunEndText.ts"
import * as Values from "../../src/cli/Values.ts"
import { LeaseError } from "../../src/runtime/Lease.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import { version } from "../../src/Version.ts"

const message = <A>(effect: Effect.Effect<A, { readonly message: string; readonly exitCode: number }>) =>
  Effect.match(effect, { onFailure: ({ exitCode, message: text }) => `${exitCode} ${text}`, onSuccess: () => "ok" })

describe("values of flags", () => {
  it.effect("reads times in the units that people write", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [string, number]> = [
        ["10", 10_000],
        ["10s", 10_000],
        ["500ms", 500],
        ["1.5 minutes", 90_000],
        ["2 h", 7_200_000],
        ["0", 0]
      ]
      for (const [text, millis] of cases) {
        assert.strictEqual(Duration.toMillis(yield* Values.duration({ grace: text }, "grace", Duration.zero)), millis)
      }
      for (const text of ["", "soon", "-1s", "10x", "1e9", "2 days"]) {
        assert.match(yield* message(Values.duration({ grace: text }, "grace", Duration.zero)), /^2 --grace is a time/)
      }
    })
  )

  it.effect("refuses numbers, names and ids that cannot be meant, as usage errors", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Values.count({ from: "12" }, "from", 0), 12)
      assert.strictEqual(yield* Values.count({}, "from", 0), undefined)
      for (const text of ["-1", "1.5", "x", "99999999999999999"]) {
        assert.match(yield* message(Values.count({ from: text }, "from", 0)), /^2 --from/)
      }
      assert.match(yield* message(Values.count({ limit: "0" }, "limit", 1)), /at least 1/)
      for (const name of ["a/b", ".hidden", "..", "", "x".repeat(65), "a b", "a\nb"]) {
        assert.match(yield* message(Values.podName(name)), /^2 .*is not a pod name/)
      }
      assert.strictEqual(yield* message(Values.podName("a.b-C_1")), "ok")
      assert.match(yield* message(Values.segmentId({ session: "latest" })), /^2 --session/)
    })
  )
})

describe("exit codes", () => {
  it("follow the result of a run", () => {
    assert.deepStrictEqual(
      (
        [
          "finished",
          "failed",
          "interrupted",
          "paused",
          "limit_reached",
          "cancelled",
          "rolled_back",
          "abandoned"
        ] as const
      ).map((result) => exitCodeOf({ result })),
      [0, 1, 1, 3, 3, 130, 130, 130]
    )
    const error = { code: "internal", message: "no", phase: "prepare" } as const
    assert.strictEqual(exitCodeOf({ result: "rolled_back", error }), 1)
  })

  it("follow what kept a pod from starting", () => {
    const storage = (reason: StorageError["reason"]) =>
      storageError(new StorageError({ reason, operation: "read", path: "/p", message: "m" })).exitCode
    assert.deepStrictEqual([storage("Corrupt"), storage("Newer"), storage("Io"), storage("NotFound")], [5, 5, 1, 1])
    const owner = { pod_name: "p", pid: 7, socket: null, stopped: true }
    const lease = (reason: LeaseError["reason"]) =>
      leaseError(new LeaseError({ reason, pod: "p", message: "m", owner }))
    assert.deepStrictEqual(
      [
        lease("PodHeld").exitCode,
        lease("SessionHeld").exitCode,
        lease("ScopeOverlap").exitCode,
        lease("Unavailable").exitCode
      ],
      [4, 4, 4, 1]
    )
    assert.match(lease("PodHeld").hint ?? "", /kill -CONT 7/)
  })
})

describe("typed input", () => {
  const files = new Set(["a.txt", "src/b c.ts", "dir"])
  const segments = (text: string) => segmentsOf(text, (path) => (files.has(path) ? path : undefined))

  it("makes references of words that name a file, and leaves everything else as text", () => {
    assert.deepStrictEqual(segments('see @a.txt, and @"src/b c.ts"!'), [
      { kind: "text", content: "see " },
      { kind: "file_ref", path: "a.txt" },
      { kind: "text", content: ", and " },
      { kind: "file_ref", path: "src/b c.ts" },
      { kind: "text", content: "!" }
    ])
    assert.deepStrictEqual(segments("@dir"), [{ kind: "file_ref", path: "dir" }])
    for (const text of ["me@a.txt", "@types/node", "a @ b", "@", "line\n@missing"]) {
      assert.deepStrictEqual(segments(text), [{ kind: "text", content: text }])
    }
    assert.deepStrictEqual(
      segments("one\n@a.txt\ntwo").map(({ kind }) => kind),
      ["text", "file_ref", "text"]
    )
  })
})

describe("small things", () => {
  it("a table is as wide as its cells", () => {
    assert.strictEqual(
      table([
        ["A", "B"],
        ["long", "x"]
      ]),
      "A     B\nlong  x\n"
    )
  })

  it("the version is that of the package", () => {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string
    }
    assert.strictEqual(version, manifest.version)
  })
})
