import * as Effect from "effect/Effect"
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { parseToml } from "../../src/manifest/ManifestToml.ts"
import { type Ended, makePlace, type Place, run, serve, start } from "../support/cli.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const hang = { wait: "10 minutes" }
const json = ({ stdout }: Ended) => JSON.parse(stdout) as Record<string, unknown>

const segmentFile = (): string => {
  const sessions = join(place.home, "data", "sessions")
  const session = join(sessions, readdirSync(sessions)[0]!)
  return join(session, readdirSync(session).find((name) => name.endsWith(".jsonl"))!)
}

describe("serve", () => {
  it("says once that it is ready, keeps stdout clean, and stops cleanly on SIGTERM and on SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const pod = await serve(place, ["--pod", "p", "--log-format", "json"])
      const [, text = ""] = await pod.waitFor("stderr", /^(\{"event":"ready".*\})$/m)
      const ready = JSON.parse(text) as Record<string, unknown>
      assert.deepInclude(ready, {
        event: "ready",
        pod: "p",
        restored: false,
        entries: 0,
        protocol: [1, 2],
        pid: pod.pid
      })
      assert.strictEqual(ready["socket"], pod.socket)
      assert.strictEqual(statSync(pod.socket).mode & 0o777, 0o600)
      assert.strictEqual(statSync(dirname(pod.socket)).mode & 0o777, 0o700)
      const { code, stderr, stdout } = await pod.kill(signal)
      assert.deepStrictEqual([code, stdout], [0, ""])
      assert.strictEqual(stderr.match(/POD-READY/g)?.length, 1)
      assert.isFalse(existsSync(dirname(pod.socket)))
    }
  })

  it("cancels a running turn when it is stopped, and tells who watches", async () => {
    const pod = await serve(place, ["--manifest", scriptedManifest(place.cwd, [[{ text: "half" }, hang]])])
    const turn = start(place, ["run", "--pod", "scripted", "go"])
    await turn.waitFor("stdout", /half/)
    assert.strictEqual((await pod.kill("SIGTERM")).code, 0)
    assert.strictEqual((await turn.ended).code, 130)
    assert.match((await run(place, ["log", "scripted"])).stdout, /· cancelled/)
  })

  it("refuses a second owner and an overlapping scope with exit 4, and says who holds them", async () => {
    const pod = await serve(place, ["--pod", "p"])
    const same = await run(place, ["serve", "--pod", "p"])
    assert.strictEqual(same.code, 4)
    assert.include(same.stderr, String(pod.pid))
    const overlap = await run(place, ["serve", "--pod", "q"])
    assert.strictEqual(overlap.code, 4)
    assert.match(overlap.stderr, /"p"/)
    pod.child.kill("SIGSTOP")
    const stopped = await run(place, ["serve", "--pod", "p"])
    assert.strictEqual(stopped.code, 4)
    assert.match(stopped.stderr, /stopped/)
    const status = json(await run(place, ["status", "p", "--json"]))
    assert.deepInclude(status, { state: "live", pid: pod.pid })
    assert.match(String(status["error"]), /stopped/)
    pod.child.kill("SIGCONT")
    await pod.kill("SIGTERM")
  })

  it("goes on after kill -9, with everything that was said", async () => {
    const manifest = scriptedManifest(place.cwd, [[{ text: "first" }], [{ text: "half" }, hang]])
    const pod = await serve(place, ["--manifest", manifest])
    assert.strictEqual((await run(place, ["run", "--pod", "scripted", "one"])).stdout, "first\n")
    const cut = start(place, ["run", "--pod", "scripted", "two"])
    await cut.waitFor("stdout", /half/)
    await pod.kill("SIGKILL")
    assert.strictEqual((await cut.ended).code, 1)
    assert.deepInclude(json(await run(place, ["status", "scripted", "--json"])), { state: "restorable" })
    const again = await serve(place, ["--manifest", manifest, "--require-pod-state"])
    const { stdout } = await run(place, ["log", "scripted"])
    assert.match(stdout, /› one\nfirst\n[^]*› two\n[^]*interrupted/)
    await again.kill("SIGTERM")
  })

  it("refuses a start without state where that is asked for, and a time that is none", async () => {
    assert.strictEqual((await run(place, ["serve", "--pod", "new", "--require-pod-state"])).code, 1)
    assert.strictEqual((await run(place, ["serve", "--grace", "soon"])).code, 2)
  })

  it("names file, line and byte of a corrupt log and exits with 5", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const file = segmentFile()
    const lines = readFileSync(file, "utf8").split("\n").length - 1
    const { size } = statSync(file)
    appendFileSync(file, "{broken}\n")
    for (const args of [
      ["serve", "--pod", "p"],
      ["log", "p"],
      ["run", "--pod", "p", "x"]
    ]) {
      const { code, stderr } = await run(place, args)
      assert.strictEqual(code, 5, args.join(" "))
      assert.include(stderr, file)
      assert.match(stderr, new RegExp(`line ${lines + 1}\\b`))
      assert.match(stderr, new RegExp(`byte ${size}\\b`))
    }
    assert.deepInclude(json(await run(place, ["status", "p", "--json"])), { state: "broken" })
  })

  it("says in a line what it found changed: a journal that is gone, and a write that was cut", async () => {
    const manifest = scriptedManifest(place.cwd, [[{ text: "ok" }]])
    assert.strictEqual((await run(place, ["run", "--manifest", manifest, "one"])).code, 0)
    const torn = '{"kind":"user_input","segm'
    appendFileSync(segmentFile(), torn)
    const cut = await run(place, ["run", "--manifest", manifest, "two"])
    assert.strictEqual(cut.code, 0)
    assert.match(
      cut.stderr,
      new RegExp(`^note: a write of ${torn.length} bytes that was cut at the end .* put aside$`, "m")
    )
    const sound = await run(place, ["run", "--manifest", manifest, "three"])
    assert.notInclude(sound.stderr, "note: a write")

    rmSync(segmentFile())
    const gone = await serve(place, ["--manifest", manifest])
    await gone.waitFor("stderr", /^note: the journal that this pod's metadata name is gone; it begins a new one$/m)
    assert.strictEqual((await gone.kill("SIGTERM")).code, 0)
    assert.strictEqual((await run(place, ["run", "--manifest", manifest, "four"])).code, 0)
    const begun = await run(place, ["run", "--manifest", manifest, "five"])
    assert.notInclude(begun.stderr, "note: the journal")
  })

  it("leaves its manifest and its children beside the socket while it lives", async () => {
    const manifest = scriptedManifest(place.cwd, [[{ text: "ok" }]], "[worker]\nmax_turns = 7")
    const pod = await serve(place, ["--manifest", manifest, "--pod", "other"])
    const directory = dirname(pod.socket)
    const children = join(directory, "spawned_pods.json")
    // No start waits for them; the second one is written last.
    while (!existsSync(children) || readFileSync(children, "utf8") === "") await run(place, ["status", "other"])
    const left = readFileSync(join(directory, "manifest.toml"), "utf8")
    const parse = (text: string, baseDir: string) => Effect.runPromise(parseToml(text, { file: "m", baseDir }))
    const given = await parse(readFileSync(manifest, "utf8"), place.cwd)
    assert.deepStrictEqual(await parse(left, "/elsewhere"), { ...given, pod: { ...given.pod, name: "other" } })
    assert.deepStrictEqual(JSON.parse(readFileSync(children, "utf8")), [])
    for (const file of ["manifest.toml", "spawned_pods.json"])
      assert.strictEqual(statSync(join(directory, file)).mode & 0o777, 0o600, file)
    assert.strictEqual((await pod.kill("SIGTERM")).code, 0)
    assert.isFalse(existsSync(directory))
  })

  it("does not use a project's manifest unasked, and says so in one line", async () => {
    mkdirSync(join(place.cwd, ".pod"))
    writeFileSync(join(place.cwd, ".pod", "manifest.toml"), '[pod]\nname = "evil"\n')
    const pod = await serve(place)
    assert.notStrictEqual(pod.name, "evil")
    assert.strictEqual(pod.stderr().match(/\.pod\/manifest\.toml/g)?.length, 2)
    await pod.kill("SIGTERM")
  })

  it("refuses an unusable runtime directory and a relative one", async () => {
    writeFileSync(join(place.cwd, "file"), "")
    const file = await run(place, ["serve"], { env: { EFFECT_POD_RUNTIME_DIR: join(place.cwd, "file") } })
    assert.strictEqual(file.code, 1)
    assert.match(file.stderr, /EFFECT_POD_RUNTIME_DIR/)
    assert.strictEqual((await run(place, ["serve"], { env: { EFFECT_POD_HOME: "here" } })).code, 1)
  })

  describe("a stop that takes its time", () => {
    /** A command that has to be killed: that takes a second. */
    const stubborn = { tool: "Bash", id: "c1", args: { command: "trap '' TERM; echo up; while :; do sleep 0.1; done" } }

    const busy = async (...flags: ReadonlyArray<string>) => {
      const pod = await serve(place, ["--manifest", scriptedManifest(place.cwd, [[stubborn]]), ...flags])
      const turn = start(place, ["run", "--json", "--pod", "scripted", "go"])
      await turn.waitFor("stdout", /"event":"tool_output"/)
      return pod
    }

    it("is bounded by --grace, and what was committed is kept", async () => {
      const pod = await busy("--grace", "100ms")
      const { code, stderr } = await pod.kill("SIGTERM")
      assert.strictEqual(code, 1)
      assert.match(stderr, /did not stop within 100ms/)
      assert.match((await run(place, ["log", "scripted"])).stdout, /› go/)
    })

    it("ends at once on a second signal", async () => {
      const pod = await busy()
      pod.child.kill("SIGTERM")
      await pod.waitFor("stderr", /SIGTERM: shutting down/)
      const { code, stderr } = await pod.kill("SIGTERM")
      assert.strictEqual(code, 130)
      assert.match(stderr, /second signal/)
    })

    it("ends cleanly within the usual grace", async () => {
      const pod = await busy()
      assert.strictEqual((await pod.kill("SIGTERM")).code, 0)
    })
  })

  it("names a missing key variable and never shows the value of another", async () => {
    const manifest = join(place.cwd, "m.toml")
    writeFileSync(
      manifest,
      '[pod]\nname = "m"\n[model]\nref = "anthropic/claude-sonnet-4-5"\n[[scope.allow]]\ntarget = "."\npermission = "write"\n'
    )
    const { code, stderr } = await run(place, ["serve", "--manifest", manifest], {
      env: { OPENAI_API_KEY: "sk-secret" }
    })
    assert.strictEqual(code, 1)
    assert.include(stderr, "ANTHROPIC_API_KEY")
    const doctor = await run(place, ["doctor", "--manifest", manifest, "--json"], {
      env: { OPENAI_API_KEY: "sk-secret" }
    })
    assert.strictEqual(doctor.code, 1)
    assert.include(doctor.stdout, "ANTHROPIC_API_KEY")
    assert.notInclude(stderr + doctor.stdout + doctor.stderr, "sk-secret")
  })
})

describe("commands at a running pod", () => {
  it("list tells live, restorable, stopped and broken pods apart, one broken one hides no other", async () => {
    await run(place, ["run", "--pod", "done", "hello"])
    await (await serve(place, ["--pod", "fresh"])).kill("SIGTERM")
    const broken = join(place.home, "data", "pods", "wrong")
    mkdirSync(broken)
    writeFileSync(join(broken, "metadata.json"), "{")
    const pod = await serve(place, ["--pod", "up", "--ephemeral"])
    const ended = await run(place, ["list", "--json"])
    const pods = JSON.parse(ended.stdout) as ReadonlyArray<Record<string, unknown>>
    assert.deepStrictEqual(
      pods.map(({ name, state }) => [name, state]),
      [
        ["done", "restorable"],
        ["fresh", "stopped"],
        ["up", "live"],
        ["wrong", "broken"]
      ]
    )
    assert.deepInclude(pods[2], { status: "idle", pid: pod.pid, socket: pod.socket })
    assert.isAbove(pods[0]?.["entries"] as number, 3)
    assert.isString(pods[3]?.["error"])
    const { stdout } = await run(place, ["list"])
    assert.match(stdout, /^done +restorable/m)
    await pod.kill("SIGTERM")
  })

  it("send prints the result, or the refusal on stderr", async () => {
    const pod = await serve(place, ["--pod", "p"])
    assert.deepInclude(json(await run(place, ["send", "p", "attach_status"])), { inbox: 0 })
    const read = json(await run(place, ["send", "p", "read_entries", "-"], { input: '{"from":0,"limit":1}' }))
    assert.deepInclude(read, { from: 0, entries: [] })
    const refused = await run(place, ["send", "p", "pause"])
    assert.strictEqual(refused.code, 1)
    assert.deepStrictEqual(Object.keys(JSON.parse(refused.stderr) as object), ["code", "message"])
    assert.strictEqual((await run(place, ["send", "p", "run", "{"])).code, 2)
    assert.strictEqual((await run(place, ["send", "nobody", "pause"])).code, 1)
    await pod.kill("SIGTERM")
  })

  it("stop returns when the name is free, and is content with a pod that does not run", async () => {
    const pod = await serve(place, ["--manifest", scriptedManifest(place.cwd, [[hang]])])
    const turn = start(place, ["run", "--pod", "scripted", "go"])
    const watcher = start(place, ["attach", "scripted"], { input: null })
    await watcher.waitFor("stdout", /› go/)
    const stopped = await run(place, ["stop", "scripted"])
    assert.strictEqual(stopped.code, 0)
    assert.match(stopped.stderr, /^stopping scripted \(pid \d+\)\nstopped scripted\n$/)
    assert.strictEqual((await pod.ended).code, 0)
    assert.strictEqual((await turn.ended).code, 130)
    assert.strictEqual((await watcher.ended).code, 0)
    assert.strictEqual((await run(place, ["stop", "scripted"])).code, 0)
    assert.strictEqual((await run(place, ["stop", "scriptad"])).code, 1)
  })

  it("attach shows the past and the present, sends lines, obeys commands, and ends with its input", async () => {
    const manifest = scriptedManifest(place.cwd, [[{ text: "one" }], [{ text: "two" }], [{ text: "half" }, hang]])
    const pod = await serve(place, ["--manifest", manifest])
    await run(place, ["run", "--pod", "scripted", "first"])
    const piped = await run(place, ["attach", "scripted"], { input: "second\n/bogus\n" })
    assert.strictEqual(piped.code, 0)
    assert.match(piped.stdout, /› first\none\n[^]*› second\n[^]*two\n· finished/)
    assert.match(piped.stdout, /unknown command/)

    const live = start(place, ["attach", "scripted", "--tail", "0"], { input: null })
    await live.waitFor("stdout", /idle/)
    live.child.stdin.write("third\n")
    await live.waitFor("stdout", /half/)
    const late = start(place, ["attach", "scripted", "--tail", "0"], { input: null })
    await late.waitFor("stdout", /running[^]*half/)
    live.child.kill("SIGINT")
    await live.waitFor("stdout", /pausing[^]*paused/)
    live.child.stdin.write("/cancel\n")
    await late.waitFor("stdout", /abandoned/)
    live.child.kill("SIGINT")
    assert.strictEqual((await live.ended).code, 0)
    late.child.stdin.write("/shutdown\n")
    assert.strictEqual((await late.ended).code, 0)
    assert.strictEqual((await pod.ended).code, 0)
  })

  it("log gives the same entries from a live pod and from disk", async () => {
    await run(place, ["run", "--pod", "p", "look around"])
    const disk = await run(place, ["log", "p", "--json"])
    const pod = await serve(place, ["--pod", "p"])
    const live = await run(place, ["log", "p", "--json"])
    await pod.kill("SIGTERM")
    const entries = (text: string) =>
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as { kind: string })
    assert.deepStrictEqual(entries(live.stdout), entries(disk.stdout))
    assert.strictEqual(entries(disk.stdout)[0]?.kind, "segment_start")
    const part = await run(place, ["log", "p", "--json", "--from", "2", "--limit", "2"])
    assert.deepStrictEqual(entries(part.stdout), entries(disk.stdout).slice(2, 4))
    assert.strictEqual((await run(place, ["log", "p", "--from", "x"])).code, 2)
  })

  it("changes nothing on disk by looking", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const files = () =>
      readdirSync(place.home, { recursive: true, withFileTypes: true }).map((entry) => {
        const path = join(entry.parentPath, entry.name)
        return [path, statSync(path).mtimeMs]
      })
    const before = files()
    for (const args of [["list"], ["status", "p"], ["log", "p"], ["doctor"], ["stop", "p"], ["send", "p", "pause"]]) {
      await run(place, args)
    }
    assert.deepStrictEqual(files(), before)
  })
})

describe("commands without a pod", () => {
  it("schema prints one object, version and help say what there is", async () => {
    const schema = json(await run(place, ["schema"]))
    assert.deepStrictEqual(Object.keys(schema), ["protocol", "manifest", "method", "event", "log_entry"])
    assert.deepStrictEqual(schema["protocol"], [1, 2])
    assert.deepInclude(json(await run(place, ["version", "--json"])), { protocol: [1, 2] })
    assert.include((await run(place, ["help", "serve"])).stdout, "--manifest")
    assert.strictEqual((await run(place, ["help", "nothing"])).code, 2)
    assert.strictEqual((await run(place, ["doctor"])).code, 0)
    const unknown = await run(place, ["serve", "--emphemeral"])
    assert.deepStrictEqual([unknown.code, unknown.stdout], [2, ""])
    assert.match(unknown.stderr, /--ephemeral[^]*usage:/)
  })
})
