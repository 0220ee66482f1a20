/** Images on their way to a model server of each dialect: shown, shown again after a restart, and refused by it. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { makePlace, type Place, run } from "../support/cli.ts"
import { pdf } from "../support/pdf.ts"
import { keys, urlOf, vendorManifest } from "../support/e2eManifest.ts"
import { type Dialect, failure, say, VendorServer } from "../support/VendorServer.ts"

let place: Place
let server: VendorServer

beforeEach(async () => {
  place = makePlace(keys)
  server = await VendorServer.start()
})
afterEach(async () => {
  await server.stop()
  await place.remove()
})

const data = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]).toString("base64")

const sees = "[model.capability]\nvision = true"

const sent = async (index: number): Promise<string> => JSON.stringify((await server.request(index)).body)

describe.each<Dialect>(["anthropic", "openai", "responses", "gemini"])("%s", (dialect) => {
  const ask = (text: string) => run(place, ["run", "--manifest", join(place.cwd, "pod.toml"), text])

  const look = async () => {
    writeFileSync(join(place.cwd, "a.png"), Buffer.from(data, "base64"))
    vendorManifest(place, dialect, urlOf(server, dialect), sees)
    server.reply(say([{ tool: "Read", id: "c1", args: { file_path: join(place.cwd, "a.png") } }]))
  }

  it("gets an image that a tool has read, and once more after a restart", async () => {
    await look()
    server.reply(say([{ text: "seen" }]), say([{ text: "still there" }]))
    const first = await ask("look")
    assert.strictEqual(first.code, 0, first.stderr)
    assert.strictEqual((await ask("again")).code, 0)
    assert.notInclude(await sent(0), data)
    assert.include(await sent(1), data)
    assert.include(await sent(2), data)
  })

  it("that refuses the image is asked again in words, in this run and in the next", async () => {
    await look()
    const refusal = failure(400, "invalid_request_error", "Could not process image")
    server.reply(refusal, say([{ text: "blind" }]), refusal, say([{ text: "still blind" }]))
    const first = await ask("look")
    assert.strictEqual(first.code, 0, first.stderr)
    assert.include(first.stdout, "blind")
    assert.strictEqual((await ask("again")).code, 0)
    for (const [refused, asked] of [
      [1, 2],
      [3, 4]
    ] as const) {
      assert.include(await sent(refused), data)
      assert.notInclude(await sent(asked), data)
      assert.include(await sent(asked), "Not shown here: a.png")
    }
  })

  it("that finds a request too large is asked again with the newest of what it was shown, and stays so", async () => {
    vendorManifest(place, dialect, urlOf(server, dialect), sees)
    const names = ["a", "b", "c", "d"]
    const contents = names.map((name) => Buffer.concat([Buffer.from(data, "base64"), Buffer.from(name.repeat(9))]))
    for (const [index, name] of names.entries()) {
      writeFileSync(join(place.cwd, `${name}.png`), contents[index] ?? "")
    }
    const calls = names.map((name) => ({
      tool: "Read",
      id: `c-${name}`,
      args: { file_path: join(place.cwd, `${name}.png`) }
    }))
    const tooLarge = failure(413, "request_too_large", "Request exceeds the maximum size")
    server.reply(say(calls), tooLarge, tooLarge, say([{ tool: "Glob", id: "g", args: { pattern: "*.md" } }]))
    server.reply(say([{ text: "seen the last" }]))
    const { code, stderr, stdout } = await ask("look")
    assert.strictEqual(code, 0, stderr)
    assert.include(stdout, "seen the last")
    const shown = async (index: number) => {
      const body = await sent(index)
      return names.filter((_, at) => body.includes(contents[at]?.toString("base64").slice(12) ?? "?")).join("")
    }
    assert.deepStrictEqual(await Promise.all([1, 2, 3, 4].map(shown)), ["abcd", "cd", "d", "d"])
    assert.include(await sent(4), "Not shown here: c.png. The conversation was too long with it")
    assert.match(stderr, /asking again with the newest 2 of the 4 images and documents/)
  })

  it("that does not take it without anything shown either is not asked for ever", async () => {
    await look()
    const tooLarge = failure(413, "request_too_large", "Request exceeds the maximum size")
    server.reply(tooLarge, tooLarge)
    const { code, stderr } = await ask("look")
    assert.notStrictEqual(code, 0)
    assert.match(stderr, /asking again with none of the 1 images and documents/)
    assert.strictEqual(server.requests.length, 3)
  })
})

describe("a request that is refused with an image in it", () => {
  const look = () => {
    writeFileSync(join(place.cwd, "a.png"), Buffer.from(data, "base64"))
    const manifest = vendorManifest(place, "anthropic", urlOf(server, "anthropic"), sees)
    server.reply(say([{ tool: "Read", id: "c1", args: { file_path: join(place.cwd, "a.png") } }]))
    return run(place, ["run", "--manifest", manifest, "look"])
  }

  it.each([415, 422])("is made once more in words where the answer is %d", async (status) => {
    const looked = look()
    const refusal = failure(status, "invalid_request_error", "Unsupported media")
    server.reply(refusal, say([{ text: "blind" }]))
    const { code, stderr, stdout } = await looked
    assert.strictEqual(code, 0, stderr)
    assert.include(stdout, "blind")
    assert.include(await sent(1), data)
    assert.include(await sent(2), "Not shown here: a.png")
  })

  it.each([401, 404])("is not where the image cannot be why: %d", async (status) => {
    const looked = look()
    server.reply(failure(status, "some_error", "no"))
    assert.notStrictEqual((await looked).code, 0)
    assert.strictEqual(server.requests.length, 2)
  })

  it("is not once an answer has begun, however that ends", async () => {
    const looked = look()
    const error = { type: "invalid_request_error", message: "prompt is too long: 200001 tokens > 200000 maximum" }
    server.reply(say([{ text: "half of it" }, { error }]))
    const { code, stderr } = await looked
    assert.notStrictEqual(code, 0)
    assert.notInclude(stderr, "asking again")
    assert.strictEqual(server.requests.length, 2)
  })
})

describe("a model that cannot see, and takes over for one that can", () => {
  it("gets words in place of what was shown, and the other one sees it again when it is back", async () => {
    const config = join(place.home, "config")
    mkdirSync(config, { recursive: true })
    const provider = (id: string, scheme: string, url: string, vision: boolean) => [
      "[[provider]]",
      `id = "${id}"`,
      `scheme = "${scheme}"`,
      `base_url = "${url}"`,
      'auth_hint = { kind = "none" }',
      `default_capability = { vision = ${vision} }`
    ]
    writeFileSync(
      join(config, "providers.toml"),
      [
        ...provider("eyes", "anthropic", server.anthropicUrl, true),
        ...provider("blind", "openai_chat", server.openAiUrl, false)
      ].join("\n")
    )
    const manifest = [
      "[pod]",
      'name = "pod"',
      "[[scope.allow]]",
      'target = "."',
      'permission = "write"',
      "[model]",
      'ref = "eyes/one"',
      'fallback = ["blind/two"]',
      "limits = { max_attempts = 1 }"
    ]
    writeFileSync(join(place.cwd, "pod.toml"), manifest.join("\n"))
    writeFileSync(join(place.cwd, "a.pdf"), pdf(["the page"]))
    const read = [{ tool: "Read", id: "c1", args: { file_path: join(place.cwd, "a.pdf"), pages: "1" } }]
    const down = failure(503, "api_error", "down")
    server.reply(say(read), down, say([{ text: "told in words" }]), say([{ text: "seen again" }]))
    const first = await run(place, ["run", "--manifest", join(place.cwd, "pod.toml"), "look"])
    assert.strictEqual(first.code, 0, first.stderr)
    assert.include(first.stdout, "told in words")
    const second = await run(place, ["run", "--manifest", join(place.cwd, "pod.toml"), "again"])
    assert.include(second.stdout, "seen again")
    const bodies = await Promise.all([1, 2, 3].map(sent))
    assert.deepStrictEqual(
      bodies.map((body) => body.includes("JVBERi")),
      [true, false, true]
    )
    assert.include(bodies[1], "Not shown here: a (page 1).pdf. This model cannot see it.")
    assert.include(bodies[1], "a PDF document of 1 page. Returned 1 of 1 pages")
  })
})
