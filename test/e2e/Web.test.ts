/** The web tools of a pod as shipped: the built program, a web server of this machine, a scripted model. */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { makePlace, type Place, run } from "../support/cli.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place
let server: Server
let asked: Array<string>

beforeEach(async () => {
  // Newer versions of Node take a proxy from the environment when they are told to; a pod's tools do not.
  const proxy = "http://127.0.0.1:1"
  place = makePlace({ SEARCH_KEY: "k3y", NODE_USE_ENV_PROXY: "1", http_proxy: proxy, HTTP_PROXY: proxy })
  asked = []
  server = createServer(({ headers, url = "" }, response) => {
    asked.push(`${url} ${headers["x-subscription-token"] ?? "-"}`)
    if (url.startsWith("/search")) {
      response.setHeader("content-type", "application/json")
      response.end('{"web":{"results":[{"title":"A page","url":"https://pages.test/"}]}}')
      return
    }
    response.setHeader("content-type", "text/html")
    response.end(
      `<html><head><title>Pages</title></head><body><h2>Head</h2><p>${"Some words, and more. ".repeat(30)}</p></body></html>`
    )
  })
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((closed) => server.close(closed))
  await place.remove()
})

const at = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
const calls = () => [
  [
    { tool: "WebFetch", id: "c1", args: { url: at("/page") } },
    { tool: "WebSearch", id: "c2", args: { query: "pages" } }
  ],
  [{ text: "done" }]
]

const journal = async (name: string) => (await run(place, ["log", name, "--json"])).stdout

describe("the web tools", () => {
  it("bring pages and results into the conversation, where the manifest allows it", async () => {
    const web = `[web]\nenabled = true\nallow_private_addresses = true\n[web.search]\napi_key_env = "SEARCH_KEY"\nbase_url = "${at("/search")}"`
    const manifest = scriptedManifest(place.cwd, calls(), web)
    const { code, stderr } = await run(place, ["run", "--manifest", manifest, "go"])
    assert.strictEqual(code, 0, stderr)
    const log = await journal("scripted")
    assert.match(log, /Fetched http:\/\/127\.0\.0\.1:\d+\/page \(200, text\/html\) as markdown/)
    assert.match(log, /## Head/)
    assert.match(log, /1 result of Brave/)
    assert.notMatch(log, /k3y/)
    assert.deepStrictEqual(asked.toSorted(), ["/page -", "/search?q=pages&count=10&offset=0 k3y"])
  })

  it("reach nothing of this machine unless it says so", async () => {
    const manifest = scriptedManifest(place.cwd, calls(), "[web]\nenabled = true")
    assert.strictEqual((await run(place, ["run", "--manifest", manifest, "go"])).code, 0)
    const log = await journal("scripted")
    assert.match(log, /127\.0\.0\.1/)
    assert.match(log, /port \d+ of 127\.0\.0\.1 is not one of the web's/)
    assert.match(log, /Tool 'WebSearch' not found/)
    assert.deepStrictEqual(asked, [])
  })

  it("are not there unless the manifest says so", async () => {
    const manifest = scriptedManifest(place.cwd, calls(), "[web.fetch]\nenabled = true")
    assert.strictEqual((await run(place, ["run", "--manifest", manifest, "go"])).code, 0)
    assert.match(await journal("scripted"), /Tool 'WebFetch' not found/)
    assert.deepStrictEqual(asked, [])
  })

  it("need the key that the manifest names: the start says which", async () => {
    const manifest = scriptedManifest(
      place.cwd,
      calls(),
      '[web]\nenabled = true\n[web.search]\napi_key_env = "NO_SUCH_KEY"'
    )
    const { code, stderr } = await run(place, ["run", "--manifest", manifest, "go"])
    assert.strictEqual(code, 1)
    assert.match(stderr, /web\.search\.api_key_env: the variable NO_SUCH_KEY is not set/)
    const doctor = await run(place, ["doctor", "--manifest", manifest])
    assert.strictEqual(doctor.code, 1)
    assert.match(doctor.stdout, /web search.*NO_SUCH_KEY is not set/)
  })
})
