/** What a command says that cannot be carried out: what it was about, where, and what to do now. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, run } from "../support/cli.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

describe("a command that fails says what comes next", () => {
  it("where the manifest is not there: the place that was looked at", async () => {
    const { code, stderr } = await run(place, ["run", "--manifest", "sub/none.toml", "x"])
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/manifest sub\/none\.toml: there is no such file\n {2}hint: looked for at \S+\/sub\/none/)
    ])
    expect(stderr).toContain(join(place.cwd, "sub/none.toml"))
  })

  it("where an export cannot be written: another file, or a directory first", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const there = join(place.cwd, "there")
    writeFileSync(there, "mine")
    for (const [file, hint] of [
      [there, /hint: name a file that is not there yet/],
      [join(place.cwd, "none/file"), /hint: \S+\/none is not a directory: make it first/],
      [join(there, "file"), /hint: \S+\/there is not a directory: make it first/]
    ] as const) {
      const { code, stderr } = await run(place, ["export", "p", file])
      expect([code, stderr]).toEqual([1, expect.stringMatching(hint)])
      expect(stderr).toContain(`${file} cannot be written`)
    }
    expect(readFileSync(there, "utf8")).toBe("mine")
  })

  it("where data cannot be kept because a file is in the way: the variable for another place", async () => {
    const file = join(place.cwd, "a-file")
    writeFileSync(file, "")
    const { code, stderr } = await run(place, ["run", "x"], { env: { EFFECT_POD_DATA_DIR: join(file, "data") } })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/a part of the path is a file.*EFFECT_POD_DATA_DIR/)])
  })

  it("where there is no file to import, and no directory to work in: what to name instead", async () => {
    for (const [args, said] of [
      [["import", "none.jsonl"], /none\.jsonl: there is no such file\n {2}hint: name the file that effect-pod export/],
      [["run", "--cwd", "none", "x"], /--cwd \S+\/none: there is no such directory\n {2}hint: make it first/]
    ] as const) {
      const { code, stderr } = await run(place, args)
      expect([code, stderr]).toEqual([1, expect.stringMatching(said)])
    }
  })

  it("where the data directory cannot be made: doctor fails as a start does, and leaves nothing behind", async () => {
    // Takes no new names, whoever asks, and its mode does not say so.
    const env = { EFFECT_POD_DATA_DIR: "/proc/none/data" }
    const doctor = await run(place, ["doctor"], { env })
    expect(doctor.stdout).toMatch(/data directory.*\/proc\/none\/data.*nothing can be made in \//)
    expect([doctor.code, (await run(place, ["run", "x"], { env })).code]).toEqual([1, 1])
    const later = { EFFECT_POD_DATA_DIR: join(place.cwd, "later/data") }
    expect((await run(place, ["doctor"], { env: later })).stdout).toMatch(/later\/data does not exist yet/)
    expect(readdirSync(place.cwd)).toEqual([])
  })

  it("where no key is set: the variable of every vendor", async () => {
    const { stdout } = await run(place, ["doctor"])
    expect(stdout).toMatch(/set one of ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY/)
  })
})
