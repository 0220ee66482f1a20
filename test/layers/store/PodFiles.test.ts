import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PodFiles from "../../../layers/store/PodFiles.ts"
import { PodStore } from "../../../src/session/PodStore.ts"
import { podStoreContract } from "./PodStoreContract.ts"
import { modeOf } from "./TempDir.ts"
import { unprivileged } from "./Unprivileged.ts"

const root = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-pod-test-"))
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))
const freshDir = () => Path.join(Fs.mkdtempSync(Path.join(root, "x-")), "data", "pods")

podStoreContract("PodFiles", () => PodFiles.layer({ podsDir: freshDir() }))

describe("PodFiles", () => {
  const withStore = <A, E>(body: (store: PodStore["Service"], podsDir: string) => Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      const podsDir = freshDir()
      return Effect.flatMap(PodStore, (store) => body(store, podsDir)).pipe(Effect.provide(PodFiles.layer({ podsDir })))
    })
  const put = (podsDir: string, name: string, text: string | Buffer) => {
    Fs.mkdirSync(Path.join(podsDir, name), { recursive: true })
    Fs.writeFileSync(Path.join(podsDir, name, "metadata.json"), text)
  }

  it.effect("fields that this build does not know survive an update, in the file and in their place", () =>
    withStore((store, podsDir) =>
      Effect.gen(function* () {
        put(podsDir, "agent", `{"pod_name":"agent","future":{"deep":[1,null]},"cwd":"/old","__proto__":{"x":1}}`)
        yield* store.update("agent", { cwd: "/new" })
        const text = Fs.readFileSync(Path.join(podsDir, "agent", "metadata.json"), "utf8")
        assert.strictEqual(
          JSON.stringify(JSON.parse(text)),
          `{"pod_name":"agent","future":{"deep":[1,null]},"cwd":"/new","__proto__":{"x":1}}`
        )
        assert.match(text, /^\{\n {2}"pod_name": "agent",\n/)
        assert.isTrue(text.endsWith("}\n"))
      })
    )
  )

  it.effect("files are private, and no temporary one is left", () =>
    withStore((store, podsDir) =>
      Effect.gen(function* () {
        yield* store.update("agent", { cwd: "/w" })
        yield* store.update("agent", { cwd: "/v" })
        assert.strictEqual(modeOf(Path.dirname(podsDir)), 0o700)
        assert.strictEqual(modeOf(podsDir), 0o700)
        assert.strictEqual(modeOf(Path.join(podsDir, "agent")), 0o700)
        assert.strictEqual(modeOf(Path.join(podsDir, "agent", "metadata.json")), 0o600)
        assert.deepStrictEqual(Fs.readdirSync(Path.join(podsDir, "agent")), ["metadata.json"])
      })
    )
  )

  it.effect("a reader never sees a part: the file is replaced, not rewritten", () =>
    withStore((store, podsDir) =>
      Effect.gen(function* () {
        yield* store.update("agent", { cwd: "/first" })
        const path = Path.join(podsDir, "agent", "metadata.json")
        const reader = Fs.openSync(path, "r")
        yield* store.update("agent", { cwd: `/${"second".repeat(100)}` })
        assert.strictEqual(JSON.parse(Fs.readFileSync(reader, "utf8")).cwd, "/first")
        Fs.closeSync(reader)
      })
    )
  )

  it.effect("a broken file is named, kept as it is, and hides no other pod", () =>
    withStore((store, podsDir) =>
      Effect.gen(function* () {
        yield* store.update("good", { cwd: "/w" })
        const broken: ReadonlyArray<readonly [string, string | Buffer, string]> = [
          ["cut", `{"pod_name":"cut","cw`, "not JSON"],
          ["empty", "", "empty"],
          ["list", "[]", "expected a JSON object"],
          ["copied", `{"pod_name":"good"}`, `expected "pod_name": "copied"`],
          ["latin", Buffer.from([0x7b, 0x22, 0xe4, 0x22, 0x3a, 0x31, 0x7d]), "not UTF-8"],
          ["typed", `{"pod_name":"typed","active":{"session_id":7}}`, "session_id"]
        ]
        for (const [name, text, expected] of broken) {
          put(podsDir, name, text)
          const path = Path.join(podsDir, name, "metadata.json")
          const error = yield* Effect.flip(store.get(name))
          assert.strictEqual(error.reason, "Corrupt", name)
          assert.strictEqual(error.path, path)
          assert.include(error.message, path)
          assert.include(error.message, expected)
          assert.isString(error.hint)
        }
        const error = yield* Effect.flip(store.update("cut", { cwd: "/w" }))
        assert.strictEqual(error.reason, "Corrupt")
        assert.strictEqual(Fs.readFileSync(Path.join(podsDir, "cut", "metadata.json"), "utf8"), `{"pod_name":"cut","cw`)

        Fs.mkdirSync(Path.join(podsDir, "nothing-in-it"))
        Fs.mkdirSync(Path.join(podsDir, "directory", "metadata.json"), { recursive: true })
        Fs.writeFileSync(Path.join(podsDir, "stray"), "")
        const listed = yield* store.list
        assert.deepStrictEqual(
          listed.map((pod) => [pod.name, "error" in pod ? pod.error.reason : "ok"]),
          [
            ["copied", "Corrupt"],
            ["cut", "Corrupt"],
            ["directory", "Io"],
            ["empty", "Corrupt"],
            ["good", "ok"],
            ["latin", "Corrupt"],
            ["list", "Corrupt"],
            ["typed", "Corrupt"]
          ]
        )
      })
    )
  )

  it.effect("a broken pod keeps its name from being given away, and can be removed", () =>
    withStore((store, podsDir) =>
      Effect.gen(function* () {
        put(podsDir, "agent", "{")
        assert.strictEqual((yield* Effect.flip(store.create("agent", {}))).reason, "Exists")
        assert.strictEqual(Fs.readFileSync(Path.join(podsDir, "agent", "metadata.json"), "utf8"), "{")
        // What a process leaves that is killed while it writes.
        Fs.writeFileSync(Path.join(podsDir, "agent", ".metadata.json.0.tmp"), "{")
        yield* store.remove("agent")
        assert.deepStrictEqual(Fs.readdirSync(podsDir), [])
      })
    )
  )

  it.effect("a pod whose name may not survive a power cut was not made", () =>
    withStore((store, podsDir) =>
      Effect.gen(function* () {
        const directory = Path.join(podsDir, "agent")
        Fs.mkdirSync(directory, { recursive: true })
        for (const above of [root, Path.join(podsDir, "../..")]) Fs.chmodSync(above, 0o755)
        // New names are taken, but nobody may open it to sync them.
        Fs.chmodSync(directory, process.geteuid?.() === 0 ? 0o733 : 0o300)
        const error = yield* unprivileged(Effect.flip(store.create("agent", {})))
        Fs.chmodSync(directory, 0o700)
        assert.deepStrictEqual([error.operation, error.code], ["sync directory", "EACCES"])
        assert.deepStrictEqual(Fs.readdirSync(directory), [])
        yield* store.create("agent", {})
      })
    )
  )

  it.effect("a removal leaves what somebody else has put beside the metadata", () =>
    withStore((store, podsDir) =>
      Effect.gen(function* () {
        yield* store.create("agent", {})
        Fs.writeFileSync(Path.join(podsDir, "agent", "notes.txt"), "mine")
        yield* store.remove("agent")
        assert.deepStrictEqual(Fs.readdirSync(Path.join(podsDir, "agent")), ["notes.txt"])
        assert.deepStrictEqual(yield* store.list, [])
        yield* store.create("agent", { cwd: "/w" })
        assert.strictEqual(modeOf(Path.join(podsDir, "agent", "metadata.json")), 0o600)
      })
    )
  )

  it.effect("an update may mend a field that cannot be read", () =>
    withStore((store, podsDir) =>
      Effect.gen(function* () {
        put(podsDir, "agent", `{"pod_name":"agent","active":5,"cwd":"/w"}`)
        yield* store.update("agent", { active: { session_id: "s" } })
        const found = yield* store.get("agent")
        assert.deepStrictEqual(found.valueOrUndefined, { pod_name: "agent", active: { session_id: "s" }, cwd: "/w" })
      })
    )
  )

  it.effect("a place where nothing can be made says so", () =>
    withStore((_, podsDir) =>
      Effect.gen(function* () {
        Fs.mkdirSync(Path.dirname(podsDir), { recursive: true })
        Fs.writeFileSync(podsDir, "")
        const error = yield* Effect.flip(
          Effect.flatMap(PodStore, (store) => store.update("agent", { cwd: "/w" })).pipe(
            Effect.provide(PodFiles.layer({ podsDir }))
          )
        )
        assert.strictEqual(error.reason, "Io")
        assert.strictEqual(error.code, "ENOTDIR")
        assert.include(error.message, podsDir)
      })
    )
  )
})
