import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { type Ended, makePlace, type Place, run, serve } from "../support/cli.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const json = <A = Record<string, unknown>>({ stdout }: Ended) => JSON.parse(stdout) as A
const pods = () => join(place.home, "data", "pods")
const sessions = () => join(place.home, "data", "sessions")

interface Made {
  readonly session_id: string
  readonly segment_id: string
  readonly journal: string
}
const made = async (name: string): Promise<Made> => {
  await run(place, ["run", "--pod", name, `hello ${name}`])
  return json<Made>(await run(place, ["status", name, "--json"]))
}

/** As if nobody had touched it for so many days. */
const age = (days: number, ...paths: ReadonlyArray<string>) => {
  const then = Date.now() / 1000 - days * 86_400
  for (const path of paths) utimesSync(path, then, then)
}

const tree = () =>
  readdirSync(join(place.home, "data"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith("locks"))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()

describe("delete", () => {
  it("removes metadata and session, says what goes before with --dry-run, and frees the name", async () => {
    const { journal, session_id } = await made("p")
    await made("other")
    writeFileSync(journal.replace(/\.jsonl$/, ".torn-12"), "{")
    const before = tree()
    const dry = json(await run(place, ["delete", "p", "--dry-run", "--json"]))
    assert.deepInclude(dry, { name: "p", session_id, dry_run: true, bytes: statSync(journal).size + 1 })
    const segments = dry["remove"] as ReadonlyArray<Readonly<Record<string, unknown>>>
    assert.deepStrictEqual(Object.keys(segments[0] ?? {}), ["session_id", "segment_id", "path", "bytes", "modified"])
    assert.deepStrictEqual(tree(), before)
    const ended = await run(place, ["delete", "p"])
    assert.strictEqual(ended.code, 0)
    assert.include(ended.stdout, journal)
    assert.isFalse(existsSync(join(pods(), "p")))
    assert.isFalse(existsSync(dirname(journal)))
    assert.deepStrictEqual(
      tree(),
      before.filter((path) => path.includes("other") || !(path.includes(session_id) || path.includes("/pods/p/")))
    )
    const again = await run(place, ["delete", "p"])
    assert.strictEqual(again.code, 1)
    assert.include(again.stderr, "there is no pod p")
    assert.strictEqual(json(await run(place, ["status", "other", "--json"]))["state"], "restorable")
    const anew = await made("p")
    assert.notStrictEqual(anew.session_id, session_id)
  })

  it("is refused while the pod is live, also when it is stopped, with exit 4 and nothing changed", async () => {
    await made("p")
    const pod = await serve(place, ["--pod", "p"])
    const before = tree()
    for (const signal of ["SIGCONT", "SIGSTOP"] as const) {
      pod.child.kill(signal)
      const refused = await run(place, ["delete", "p"])
      assert.strictEqual(refused.code, 4)
      assert.include(refused.stderr, `process ${pod.pid}`)
      assert.deepStrictEqual(tree(), before)
    }
    assert.strictEqual((await run(place, ["delete", "p", "--dry-run"])).code, 4)
    pod.child.kill("SIGCONT")
    await pod.kill("SIGTERM")
  })

  it("keeps a segment that another pod goes on from, and the links of a fork", async () => {
    const { journal, segment_id } = await made("p")
    // Another pod in the same session, and a fork's link to the segment in a session of its own.
    await (await serve(place, ["--pod", "copy", "--session", segment_id])).kill("SIGTERM")
    const fork = join(sessions(), "01990000-0000-7000-8000-000000000001", `${segment_id}.jsonl`)
    mkdirSync(dirname(fork))
    linkSync(journal, fork)
    const kept = await run(place, ["delete", "p"])
    assert.strictEqual(kept.code, 0)
    assert.match(kept.stdout, /kept .*another pod may need it/)
    assert.isTrue(existsSync(journal))
    assert.strictEqual(json(await run(place, ["status", "copy", "--json"]))["state"], "restorable")
    const text = readFileSync(journal, "utf8")
    assert.strictEqual((await run(place, ["delete", "copy"])).code, 0)
    assert.isFalse(existsSync(journal))
    assert.strictEqual(readFileSync(fork, "utf8"), text)
  })

  it("leaves a real fork whole, and a segment that a rewind can go back to", async () => {
    const pod = await serve(place, ["--pod", "p"])
    await run(place, ["run", "--pod", "p", "hello"])
    const forked = await run(place, ["send", "p", "fork", '{"pod_name":"fork"}'])
    assert.strictEqual(forked.code, 0, forked.stderr)
    await pod.kill("SIGTERM")
    const log = (await run(place, ["log", "fork", "--json"])).stdout
    assert.include(log, "hello")
    const inspected = json<{ readonly segments: ReadonlyArray<Record<string, unknown>> }>(
      await run(place, ["inspect", "fork", "--json"])
    )
    assert.strictEqual(inspected.segments.length, 2)
    assert.isTrue(inspected.segments.some(({ base }) => base !== undefined))
    assert.strictEqual((await run(place, ["delete", "p"])).code, 0)
    assert.strictEqual((await run(place, ["log", "fork", "--json"])).stdout, log)
    assert.strictEqual((await run(place, ["run", "--pod", "fork", "again"])).code, 0)
    assert.strictEqual((await run(place, ["delete", "fork"])).code, 0)
    assert.deepStrictEqual(readdirSync(sessions()), [])
  })

  it("keeps what the unreadable metadata of another pod speak of, and removes a broken pod itself", async () => {
    const { journal, session_id } = await made("p")
    mkdirSync(join(pods(), "wrong"))
    writeFileSync(join(pods(), "wrong", "metadata.json"), `{"pod_name":"wrong","active":{"session_id":"${session_id}"`)
    assert.strictEqual((await run(place, ["delete", "p"])).code, 0)
    assert.isTrue(existsSync(journal))
    assert.strictEqual((await run(place, ["delete", "wrong"])).code, 0)
    assert.deepStrictEqual(readdirSync(pods()), [])
  })
})

describe("prune", () => {
  it("removes old pods, skips live, young and broken ones, and says each", async () => {
    const old = await made("old")
    const young = await made("young")
    const live = await made("live")
    age(40, old.journal, join(pods(), "old", "metadata.json"), live.journal, join(pods(), "live", "metadata.json"))
    // Its log was written lately, its metadata long ago.
    age(40, join(pods(), "young", "metadata.json"))
    mkdirSync(join(pods(), "wrong"))
    writeFileSync(join(pods(), "wrong", "metadata.json"), "{")
    age(40, join(pods(), "wrong", "metadata.json"))
    const pod = await serve(place, ["--pod", "live"])
    const before = tree()
    const dry = await run(place, ["prune", "--older-than", "30d", "--dry-run"])
    assert.match(dry.stdout, /^would remove old: [^]*skipped live: live[^]*skipped wrong: broken[^]*would remove 1 pod/)
    assert.deepStrictEqual(tree(), before)
    const report = json<{
      readonly removed: ReadonlyArray<{ readonly name: string }>
      readonly skipped: ReadonlyArray<{ readonly name: string; readonly reason: string }>
      readonly bytes: number
    }>(await run(place, ["prune", "--older-than", "30d", "--json"]))
    assert.deepStrictEqual(
      report.removed.map(({ name }) => name),
      ["old"]
    )
    assert.isAbove(report.bytes, 100)
    assert.deepStrictEqual(
      report.skipped.map(({ name, reason }) => [name, reason]),
      [
        ["live", "live"],
        ["wrong", "broken"]
      ]
    )
    assert.isFalse(existsSync(old.journal))
    assert.isTrue(existsSync(young.journal) && existsSync(live.journal))
    await pod.kill("SIGTERM")
  })

  it("leaves a pod alone that was used while it was looked at", async () => {
    const { journal } = await made("p")
    const metadata = join(pods(), "p", "metadata.json")
    age(90, journal, metadata)
    // Whoever asks for a lease has looked at the age before: in that moment somebody writes to the pod.
    const bin = join(dirname(place.home), "bin")
    mkdirSync(bin)
    writeFileSync(join(bin, "flock"), `#!/bin/sh\ntouch '${journal}'\nPATH="$REAL" exec flock "$@"\n`, { mode: 0o755 })
    const env = { PATH: `${bin}:${place.env["PATH"]}`, REAL: place.env["PATH"] ?? "" }
    const ended = await run(place, ["prune", "--older-than", "30d", "--json"], { env })
    assert.strictEqual(ended.code, 0, ended.stderr)
    const { removed, skipped } = json<{ readonly removed: unknown; readonly skipped: unknown }>(ended)
    assert.deepStrictEqual(removed, [])
    assert.deepStrictEqual(skipped, [{ name: "p", reason: "used", message: "it was used meanwhile" }])
    assert.isTrue(existsSync(journal))
    age(90, journal, metadata)
    assert.strictEqual((await run(place, ["prune", "--older-than", "30d"])).code, 0)
    assert.isFalse(existsSync(journal))
  })

  it("tells of sessions that no pod names, and removes them only when asked", async () => {
    const orphan = await made("p")
    await made("q")
    age(3, orphan.journal, dirname(orphan.journal))
    rmSync(join(pods(), "p"), { recursive: true })
    const told = await run(place, ["prune", "--older-than", "2d"])
    assert.match(told.stdout, /1 segment that no pod names, left alone \(--orphans removes them\)/)
    assert.isTrue(existsSync(orphan.journal))
    assert.strictEqual((await run(place, ["prune", "--older-than", "1w", "--orphans"])).code, 0)
    assert.isTrue(existsSync(orphan.journal))
    assert.strictEqual((await run(place, ["prune", "--older-than", "2d", "--orphans"])).code, 0)
    assert.isFalse(existsSync(orphan.journal))
    assert.strictEqual(json(await run(place, ["status", "q", "--json"]))["state"], "restorable")
  })

  it("takes a session whose directory is new for one that is being made, however old its segments are", async () => {
    const source = await made("p")
    const session = join(dirname(source.journal), "..", "01990000-0000-7000-8000-000000000001")
    mkdirSync(session)
    const [base, own] = [join(session, basename(source.journal)), join(session, `${basename(session)}.jsonl`)]
    linkSync(source.journal, base)
    age(3, base)
    const prune = () => run(place, ["prune", "--older-than", "2d", "--orphans"])
    assert.strictEqual((await prune()).code, 0)
    assert.isTrue(existsSync(base))
    writeFileSync(own, readFileSync(base))
    age(3, session)
    assert.strictEqual((await prune()).code, 0)
    assert.isTrue(existsSync(base) && existsSync(own))
    age(3, base, own, session, source.journal)
    assert.strictEqual((await prune()).code, 0)
    assert.isFalse(existsSync(base) || existsSync(own))
  })

  it("wants to know how old, with a unit", async () => {
    assert.strictEqual((await run(place, ["prune"])).code, 2)
    for (const text of ["30", "soon", "-1d"]) {
      assert.strictEqual((await run(place, ["prune", `--older-than=${text}`])).code, 2, text)
    }
    const nothing = await run(place, ["prune", "--older-than", "1d"])
    assert.deepStrictEqual([nothing.code, nothing.stdout], [0, "removed 0 pods, 0 bytes\n"])
  })
})

describe("a broken pod", () => {
  it("hides no other in list, prune, doctor and inspect, whatever is wrong with it", async () => {
    const good = await made("good")
    const torn = await made("torn")
    const missing = await made("missing")
    const odd = await made("odd")
    writeFileSync(torn.journal, "\u0000\n")
    rmSync(missing.journal)
    rmSync(odd.journal)
    mkdirSync(odd.journal)
    for (const [name, text] of Object.entries({
      cut: "{",
      list: "[]",
      empty: "",
      typed: '{"pod_name":"typed","active":7}'
    })) {
      mkdirSync(join(pods(), name))
      writeFileSync(join(pods(), name, "metadata.json"), text)
    }
    mkdirSync(join(pods(), "directory", "metadata.json"), { recursive: true })
    mkdirSync(join(pods(), "nothing"))
    writeFileSync(join(place.home, "data", "locks", "pod-cut.lock"), "not a record")
    const names = ["cut", "directory", "empty", "good", "list", "missing", "odd", "torn", "typed"]
    const listed = await run(place, ["list", "--json"])
    assert.strictEqual(listed.code, 0, listed.stderr)
    const found = JSON.parse(listed.stdout) as ReadonlyArray<{ readonly name: string; readonly state: string }>
    assert.deepStrictEqual(
      found.map(({ name }) => name),
      names
    )
    assert.deepStrictEqual(
      found.flatMap(({ name, state }) => (state === "broken" ? [] : [[name, state]])),
      [["good", "restorable"]]
    )
    const doctor = await run(place, ["doctor"])
    assert.strictEqual(doctor.code, 1)
    for (const name of names) assert.strictEqual(doctor.stdout.includes(`pod ${name}: `), name !== "good", name)
    age(9, good.journal, join(pods(), "good", "metadata.json"), torn.journal, join(pods(), "torn", "metadata.json"))
    const pruned = await run(place, ["prune", "--older-than", "8d"])
    assert.match(
      pruned.stdout,
      /^removed good: [^]*skipped cut: broken[^]*skipped torn: broken: .*line 1/,
      pruned.stderr
    )
    for (const name of names.filter((candidate) => candidate !== "good")) {
      assert.strictEqual((await run(place, ["inspect", name, "--json"])).code, 0, name)
    }
  })
})
