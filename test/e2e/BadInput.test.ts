/** What is wrong gets a clear error where it belongs, nothing is lost, and the pod stays usable. */
import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, program, run, serve } from "../support/cli.ts"
import { accepted, connectNative, connectSeed, turn } from "../support/e2eClient.ts"
import { expectSound, inputs, readJournal } from "../support/e2eJournal.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

type Calls = Parameters<typeof scriptedManifest>[1]

const start = (calls: Calls) => serve(place, ["--manifest", scriptedManifest(place.cwd, calls)])

describe("lines that are no methods", () => {
  it("are refused to their sender alone, say what was expected, and the next line is obeyed", async () => {
    const pod = await start([[{ text: "still here" }]])
    const { client } = await connectNative(pod.socket)
    const bystander = (await connectNative(pod.socket)).client
    const seed = await connectSeed(pod.socket)
    const cases = [
      ["{nonsense", /not JSON/],
      ["[1]", /expected an object/],
      ['"run"', /expected an object/],
      ["{}", /"method" is missing/],
      ['{"method":7}', /"method" is not a string/],
      ['{"method":"runn"}', /did you mean "run"/],
      ['{"method":"frobnicate"}', /unknown method "frobnicate"; known are hello, run, /],
      ['{"method":"run"}', /run: params is missing/],
      ['{"method":"run","params":{"input":"hi"}}', /params\.input: expected array, got "hi"/],
      ['{"method":"run","params":{"input":[{"kind":"text"}]}}', /params\.input\[0\]\.content is missing/],
      ['{"method":"pause","method":"cancel"}', /the key "method" is there twice/],
      ['{"method":"read_entries","params":{"from":-1,"limit":1}}', /params\.from/],
      ['{"method":"read_entries","params":{"from":0,"limit":1}}', /needs an "id"/]
    ] as const
    for (const [line, message] of cases) {
      client.send(line)
      seed.send(line)
      for (const { data } of [await client.next("error"), await seed.next("error")]) {
        expect(data).toMatchObject({ code: "invalid_request", message: expect.stringMatching(/^invalid method: /) })
        expect(data.message).toMatch(message)
        expect(data.message).not.toContain("\n")
      }
    }
    // With an id, the refusal is a reply.
    expect((await client.request("frobnicate")).data).toMatchObject({ ok: false, error: { code: "invalid_request" } })
    expect((await client.request("run", { input: 7 })).data).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("params.input") }
    })
    client.send({ method: "pause", id: "" })
    await client.next("error")
    // Blank lines and other line ends are no lines at all.
    client.write('\n  \r\n{"method":"attach_status","id":"crlf"}\r\n')
    await client.next("reply", ({ data }) => data.reply_to === "crlf")
    expect(await turn(client, "are you there?")).toMatchObject({ result: "finished" })
    await bystander.next("run_end")
    expect(bystander.lines.filter(({ event }) => event === "error")).toEqual([])
    expectSound(readJournal(place))
  })

  it("may be split, joined, not UTF-8, or longer than is taken, without harm to what comes behind", async () => {
    const pod = await start([[{ text: "ok" }]])
    const { client } = await connectNative(pod.socket)
    client.write(Buffer.from([0x7b, 0xff, 0xfe, 0x0a]))
    expect((await client.next("error")).data.message).toMatch(/not UTF-8/)

    const other = (await connectNative(pod.socket)).client
    const ids = ["split in an é", "joined"]
    const bytes = Buffer.from(ids.map((id) => `${JSON.stringify({ method: "attach_status", id })}\n`).join(""))
    const middle = bytes.indexOf(0xc3) + 1
    client.write(bytes.subarray(0, middle))
    // Whatever this was answered to was read behind the first half.
    await other.request("attach_status")
    client.write(bytes.subarray(middle))
    for (const id of ids) await client.next("reply", ({ data }) => data.reply_to === id)

    const megabyte = Buffer.alloc(1024 * 1024, "x")
    for (let n = 0; n < 17; n++) other.write(megabyte)
    other.write(`\n${JSON.stringify({ method: "attach_status", id: "behind" })}\n`)
    expect((await other.next("error")).data).toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(/longer than 16777216 bytes/)
    })
    await other.next("reply", ({ data }) => data.reply_to === "behind")
    expect(await turn(other, "go")).toMatchObject({ result: "finished" })
  })

  it("of a great size are methods: two megabytes in, two megabytes out", async () => {
    const big = "é".repeat(1024 * 1024)
    const pod = await start([[{ text: "read" }]])
    const { client } = await connectNative(pod.socket)
    expect(await turn(client, big)).toMatchObject({ result: "finished" })
    const { snapshot } = await connectNative(pod.socket)
    expect(inputs(snapshot.entries)).toEqual([big])
  })

  it("that belong to a later version are refused by name, and change nothing", async () => {
    const pod = await start([[{ text: "ok" }]])
    const { client } = await connectNative(pod.socket)
    await turn(client, "go")
    await client.next("status", ({ data }) => data.status === "idle")
    const before = readJournal(place)
    for (const [method, params] of [
      ["compact"],
      ["list_visible_pods"],
      ["inspect_pod", { name: "other" }],
      ["attach_or_restore_pod", { name: "other" }]
    ] as const) {
      const { data } = await client.request(method, params)
      expect(data, method).toMatchObject({
        ok: false,
        error: {
          code: "invalid_request",
          message: expect.stringContaining(`${method} is not available in this version`)
        }
      })
    }
    expect((await client.request("resume")).data).toMatchObject({ ok: false, error: { code: "not_paused" } })
    expect((await client.request("cancel")).data).toMatchObject({ ok: false, error: { code: "not_running" } })
    expect(readJournal(place)).toEqual(before)
  })
})

describe("what the model asks for", () => {
  it("wrongly is answered to the model, and the run goes on", async () => {
    const outside = join(place.cwd, "..", "outside.txt")
    writeFileSync(outside, "secret")
    const pod = await start([
      [
        { tool: "Raed", id: "c1", args: {} },
        { tool: "Read", id: "c2", args: { path: "/x" } },
        { tool: "Read", id: "c3", args: "{not json" },
        { tool: "Read", id: "c4", args: { file_path: outside } },
        { tool: "Write", id: "c5", args: { file_path: outside, content: "x" } },
        { tool: "Read", id: "c6", args: { file_path: join(place.cwd, "missing.txt") } },
        { tool: "Bash", id: "c7", args: { command: "exit 3" } }
      ],
      [{ text: "I see." }]
    ])
    const { client } = await connectNative(pod.socket)
    expect(await turn(client, "go")).toMatchObject({ result: "finished" })
    const results = new Map(
      client.lines.flatMap((line) => (line.event === "tool_result" ? [[line.data.id, line.data]] : []))
    )
    const said = (id: string) => JSON.stringify(results.get(id))
    expect(
      [...results.values()]
        .filter(({ is_error }) => is_error)
        .map(({ id }) => id)
        .toSorted()
    ).toEqual(["c1", "c2", "c3", "c4", "c5", "c6"])
    expect(said("c1")).toMatch(/Raed.*Read/)
    expect(said("c2")).toMatch(/file_path/)
    expect(said("c3")).toMatch(/JSON/)
    for (const id of ["c4", "c5"]) expect(said(id)).toMatch(/outside/)
    expect(said("c4")).not.toContain("secret")
    expect(said("c6")).toMatch(/missing\.txt/)
    expect(said("c7")).toMatch(/exit code 3/)
  })

  it("in a scripted model past the end of its script is an error that names file and call", async () => {
    const pod = await start([[{ text: "one" }]])
    const { client } = await connectNative(pod.socket)
    await turn(client, "1")
    const end = await turn(client, "2")
    expect(end).toMatchObject({ result: "failed", error: { code: "provider_error" } })
    expect(end.error?.message).toMatch(/scripted\.jsonl.*2/)
    expect(accepted(await client.request("attach_status"))).toMatchObject({ waiting_on: null })
  })
})

const manifest = (lines: ReadonlyArray<string>): string => {
  const path = join(place.cwd, "m.toml")
  writeFileSync(path, `${lines.join("\n")}\n`)
  return path
}

const pod = ["[pod]", 'name = "m"']
const model = ["[model]", 'scheme = "offline"']
const scope = ["[[scope.allow]]", 'target = "."', 'permission = "write"']

describe("a manifest with a mistake", () => {
  it("is refused with the file and, for each mistake, the line, the key, what was expected and what was meant", async () => {
    const mistakes = [
      ["[pod]", undefined],
      ['name = "a/b"', /`pod\.name`: expected a pod name: 1 to 64 /],
      ["[model]", undefined],
      ['scheme = "antropic"', /`model\.scheme`: expected one of "anthropic", .*did you mean "anthropic"/],
      ['model_id = "x"', undefined],
      ['base_url = "here"', /`model\.base_url`: expected an http or https URL/],
      ["[model.limits]", undefined],
      ['idle_timeout = "soon"', /`model\.limits\.idle_timeout`: expected a duration/],
      ["[[scope.allow]]", undefined],
      ['target = "."', undefined],
      [
        'permission = "wirte"',
        /`scope\.allow\[0\]\.permission`: expected one of "read", "write".*did you mean "write"/
      ],
      ["[worker]", undefined],
      ['max_turns = "3"', /`worker\.max_turns`: expected .*, got a string/],
      ["max_tokns = 3", /`worker\.max_tokns` is not a key of \[worker\] \(did you mean `max_tokens`/],
      ["[wroker]", /`wroker`.*did you mean `worker`/]
    ] as const
    manifest(mistakes.map(([line]) => line))
    const { code, stderr, stdout } = await run(place, ["serve", "--manifest", "m.toml"])
    expect([code, stdout]).toEqual([1, ""])
    expect(stderr).toMatch(/^effect-pod: m\.toml has 8 problems:\n/)
    for (const [index, [line, message]] of mistakes.entries()) {
      const said = stderr.split("\n").filter((text) => text.startsWith(`  line ${index + 1}: `))
      expect(said, line).toEqual(message === undefined ? [] : [expect.stringMatching(message)])
    }
    expect(existsSync(place.home), "nothing is made").toBe(false)
  })

  it("is refused with line and column where it is no TOML", async () => {
    manifest(["[pod", 'name = "m"'])
    const { code, stderr } = await run(place, ["run", "--manifest", "m.toml", "x"])
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^effect-pod: m\.toml, line 1, column 5: not valid TOML: /)
    ])
  })

  it("is found by the doctor in the same words", async () => {
    const path = manifest([...pod, ...model, ...scope, "[worker]", "max_turn = 3"])
    const { code, stdout } = await run(place, ["doctor", "--manifest", path])
    expect(code).toBe(1)
    expect(stdout).toMatch(/line 9: .*max_turn.*did you mean `max_turns`/)
  })

  it("says what is missing", async () => {
    manifest([...pod, ...model])
    const { code, stderr } = await run(place, ["serve", "--manifest", "m.toml"])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/scope/)])
  })

  it("that only shows when the model is looked up has its file and line too", async () => {
    const ask = async (key: string, lines: ReadonlyArray<string>) => {
      manifest([...pod, ...scope, "", "[model]", ...lines])
      const served = await run(place, ["serve", "--manifest", "m.toml"])
      expect([served.code, served.stdout]).toEqual([1, ""])
      expect(existsSync(join(place.home, "data/pods/m")), "no pod is made").toBe(false)
      const doctor = await run(place, ["doctor", "--manifest", "m.toml"])
      expect(doctor.code).toBe(1)
      const [, message = ""] = /^effect-pod: (.*)$/m.exec(served.stderr) ?? []
      expect(message).toContain(`\`${key}\``)
      expect(doctor.stdout).toContain(message)
      return message
    }
    expect(await ask("model.ref", ['ref = "antropic/claude"'])).toMatch(/^m\.toml, line 8: .*did you mean "anthropic/)
    expect(await ask("model.model_id", ["", 'scheme = "anthropic"'])).toMatch(/^m\.toml, line 7: .*is required/)
    expect(
      await ask("model.auth.env", ['ref = "openai/gpt-5.4"', "[model.auth]", 'kind = "api_key"', 'env = "MY_OWN_KEY"'])
    ).toMatch(/^m\.toml, line 11: .*MY_OWN_KEY is not set/)
  })

  it("names the variable of a key that is missing, and the file of one that cannot be read", async () => {
    const keyed = (auth: string) =>
      manifest([...pod, "[model]", 'scheme = "anthropic"', 'model_id = "x"', `auth = ${auth}`, ...scope])
    keyed('{ kind = "api_key", env = "MY_OWN_KEY" }')
    const env = { ANTHROPIC_API_KEY: "sk-ant-secret" }
    const variable = await run(place, ["serve", "--manifest", "m.toml"], { env })
    expect([variable.code, variable.stdout]).toEqual([1, ""])
    expect(variable.stderr).toMatch(/MY_OWN_KEY is not set/)
    keyed('{ kind = "api_key", env = "MY_OWN_KEY", file = "key.txt" }')
    const file = await run(place, ["serve", "--manifest", "m.toml"], { env })
    expect(file.code).toBe(1)
    expect(file.stderr).toMatch(/key\.txt/)
    expect(variable.stderr + file.stderr).not.toContain("sk-ant-secret")
  })
})

const file = (name: string): string => {
  const path = join(place.cwd, name)
  writeFileSync(path, "")
  return path
}

/** Paths of no use, by what is wrong with them. */
const unusable = {
  "no name can be made there": () => "/proc/nowhere",
  "it is a file": () => file("a-file"),
  "it is below a file": () => join(file("a-file"), "run"),
  "others may write to it": () => {
    const path = join(place.cwd, "shared")
    mkdirSync(path)
    writeFileSync(join(path, "somebody-elses"), "")
    chmodSync(path, 0o1777)
    return path
  }
}

describe("a directory that cannot be used", () => {
  it.each([
    ["no name can be made there", /cannot make \/proc\/nowhere: no such file/],
    ["it is a file", /there is a file of this name/],
    ["it is below a file", /a part of this path is a file/],
    ["others may write to it", /open to other users \(mode 1777\)/]
  ] as const)("for runtime files is refused, says why, and what names another: %s", async (wrong, message) => {
    const { code, stderr } = await run(place, ["serve"], { env: { EFFECT_POD_RUNTIME_DIR: unusable[wrong]() } })
    expect(code).toBe(1)
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(/EFFECT_POD_RUNTIME_DIR/)
  })

  it("for the journal is refused before anything is accepted", async () => {
    for (const path of ["/proc/nowhere", file("a-file")]) {
      const { code, stderr } = await run(place, ["serve"], { env: { EFFECT_POD_DATA_DIR: path } })
      expect(code).toBe(1)
      expect(stderr).toContain(path)
      expect(stderr).not.toContain("POD-READY")
    }
  })

  it("to work in may be gone: that is said, whatever was asked", () => {
    const script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    for (const command of ["serve", "list"]) {
      const args = ["-c", script, "bash", process.execPath, program, command]
      const { status, stderr } = spawnSync("bash", args, { cwd: place.cwd, env: place.env, encoding: "utf8" })
      expect([status, stderr]).toEqual([
        1,
        "effect-pod: the current directory is gone\n  hint: cd to one that exists\n"
      ])
    }
  })

  it("must be an absolute path", async () => {
    for (const name of ["EFFECT_POD_HOME", "EFFECT_POD_DATA_DIR", "EFFECT_POD_RUNTIME_DIR"]) {
      const { code, stderr } = await run(place, ["serve"], { env: { [name]: "here" } })
      expect([code, stderr]).toEqual([1, expect.stringContaining(`${name} is "here": expected an absolute path`)])
    }
    expect(readdirSync(place.cwd)).toEqual([])
  })
})

describe("a name that is none", () => {
  it.each([
    ["a/b", "serve", "--pod"],
    ["../up", "send"],
    [".hidden", "status"],
    ["a b", "run", "text", "--pod"],
    ["x".repeat(65), "stop"],
    ["", "log"]
  ])("is refused before a file is touched: %j", async (name, ...command) => {
    const { code, stderr } = await run(place, [...command, name, ...(command[0] === "send" ? ["pause"] : [])])
    expect([code, stderr]).toEqual([2, expect.stringMatching(/is not a pod name\n.*expected 1 to 64/)])
    expect(existsSync(place.home)).toBe(false)
  })
})
