/**
 * A pod whose server tells its key to everybody: in errors, pages and events, where messages are cut too. Whatever the
 * pod leaves behind, and all that it says while it fails, is searched for the key.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, serve } from "../support/cli.ts"
import { connectNative, connectSeed, turn } from "../support/e2eClient.ts"
import { urlOf, vendorManifest } from "../support/e2eManifest.ts"
import { type Dialect, failure, page, type Reply, say, VendorServer } from "../support/VendorServer.ts"

const key = "sk-Zq7RkW2vXo9TtB4mYc1NdH8sLpJ6gFuE3aKiVhQx0D5O"

let place: Place
let server: VendorServer

beforeEach(async () => {
  place = makePlace({ ANTHROPIC_API_KEY: key, OPENAI_API_KEY: key, GEMINI_API_KEY: key })
  server = await VendorServer.start()
})
afterEach(async () => {
  await place.remove()
  await server.stop()
})

/** Ends in the middle of the key where a message ends. */
const upTo = (length: number): string => "x".repeat(length - key.length / 2)

const document = (status: number, body: string, type = "application/json"): Reply => ({
  kind: "whole",
  status,
  headers: { "content-type": type, "x-echo": key, "set-cookie": `token=${key}` },
  body
})

const replies: ReadonlyArray<Reply> = [
  failure(401, "authentication_error", `no such key: ${key}`, { "www-authenticate": key }),
  failure(400, key, `${upTo(2048 - 60)}${key}`),
  document(403, `{"error":"${key}"}`),
  document(500, `${upTo(1980)}${key}${"y".repeat(9000)}`, "text/plain"),
  page(502, `<html><title>${upTo(100)}${key}</title></html>`),
  page(200, `<html><title>${upTo(100)}${key}</title></html>`),
  document(200, JSON.stringify({ padding: `${upTo(1930)}${key}${"y".repeat(9000)}` })),
  document(200, JSON.stringify({ error: { type: key, message: key } })),
  say([{ error: { type: "overloaded_error", message: key } }]),
  say([{ text: "x" }, { error: { type: key, message: `${upTo(2000)}${key}` } }]),
  say([{ raw: `data: ${upTo(200)}${key}\n\n` }]),
  say([{ text: "x" }, { raw: `data: {"${key}\n\n` }]),
  say([{ text: "x" }, { raw: `event: ${key}\ndata: []\n\n: ${key}\n\n` }, { cut: true }])
]

const filesIn = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

/** Any piece of it that is long enough to be no accident. */
const pieces = Array.from({ length: key.length - 10 }, (_, at) => key.slice(at, at + 10))

describe.each(["anthropic", "openai", "responses", "gemini"] as const satisfies ReadonlyArray<Dialect>)(
  "the key of a pod that speaks %s",
  (dialect) => {
    it("is in no file, event, log or error, whoever repeats it", async () => {
      const limits = `[model.limits]\nmax_attempts = 2\nmax_retry_after = "1 milli"`
      const manifest = vendorManifest(place, dialect, urlOf(server, dialect), limits)
      const pod = await serve(place, ["--manifest", manifest, "--log-level", "trace"])
      const { client } = await connectNative(pod.socket)
      const seed = await connectSeed(pod.socket)
      let messages = ""
      for (const reply of replies) {
        // What can be tried again is, and what broke off is continued: all of it ends in the same way.
        server.otherwise = () => reply
        const ended = await turn(client, "go")
        expect(ended.result).toBe("failed")
        messages += JSON.stringify(ended)
      }
      expect(messages).toContain("no such key: <key>")
      const { stderr, stdout } = await pod.kill("SIGTERM")
      const said = [stdout, stderr, ...[...client.lines, ...seed.lines].map((line) => JSON.stringify(line))]
      const left = filesIn(dirname(place.home)).map((file) => `${file}\n${readFileSync(file, "latin1")}`)
      expect(left.some((text) => text.includes("run_failed") || text.includes("provider_error"))).toBe(true)
      for (const text of [...said, ...left]) {
        const found = pieces.find((piece) => text.includes(piece))
        expect(found === undefined ? "" : text.slice(0, 4000)).toBe("")
      }
      for (const header of ["x-api-key", "x-goog-api-key", "Bearer ", "set-cookie"]) {
        expect([...said, ...left].filter((text) => text.includes(header))).toEqual([])
      }
      for (const { headers } of server.requests) expect(JSON.stringify(headers)).toContain(key)
    }, 120_000)
  }
)
