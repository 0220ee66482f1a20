/** Images on their way to a model server of each dialect: shown, shown again after a restart, and refused by it. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { makePlace, type Place, run } from "../support/cli.ts"
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
})
