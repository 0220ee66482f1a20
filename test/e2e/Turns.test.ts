/** Whole turns: the built program, a model server that speaks the vendors' dialects, a client on the socket. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, serve } from "../support/cli.ts"
import { accepted, connectNative, turn } from "../support/e2eClient.ts"
import { answers, expectSound, inputs, readJournal, terminals } from "../support/e2eJournal.ts"
import { keys, urlOf, vendorManifest } from "../support/e2eManifest.ts"
import { type Dialect, failure, Gate, page, refusingUrl, say, VendorServer } from "../support/VendorServer.ts"

let place: Place
let server: VendorServer

beforeEach(async () => {
  place = makePlace(keys)
  server = await VendorServer.start()
})
afterEach(async () => {
  await place.remove()
  await server.stop()
})

const dialects = ["anthropic", "openai", "responses", "gemini"] as const satisfies ReadonlyArray<Dialect>

const serveWith = async (dialect: Dialect, more = "", url = urlOf(server, dialect)) => {
  const pod = await serve(place, ["--manifest", vendorManifest(place, dialect, url, more)])
  return { pod, ...(await connectNative(pod.socket)) }
}

type Fields = Readonly<Record<string, unknown>>

/** What was said so far, as a request has it. */
const conversation = (body: Fields): ReadonlyArray<Fields> =>
  (body["messages"] ?? body["input"] ?? body["contents"]) as ReadonlyArray<Fields>

/** The results of tools in a request: ids and texts in their order, whichever the dialect. */
const toolResults = (body: Fields): ReadonlyArray<readonly [string, string]> =>
  conversation(body).flatMap((message) => {
    if (message["role"] === "tool") return [[String(message["tool_call_id"]), JSON.stringify(message["content"])]]
    if (message["type"] === "function_call_output")
      return [[String(message["call_id"]), JSON.stringify(message["output"])]]
    const blocks = message["content"] ?? message["parts"]
    if (!Array.isArray(blocks)) return []
    return (blocks as ReadonlyArray<Fields>).flatMap((block) => {
      const response = block["functionResponse"] as Fields | undefined
      if (response !== undefined) return [[String(response["id"]), JSON.stringify(response["response"])] as const]
      return block["type"] === "tool_result"
        ? [[String(block["tool_use_id"]), JSON.stringify(block["content"])] as const]
        : []
    })
  })

const secrets = {
  anthropic: ["x-api-key", keys.ANTHROPIC_API_KEY],
  openai: ["authorization", `Bearer ${keys.OPENAI_API_KEY}`],
  responses: ["authorization", `Bearer ${keys.OPENAI_API_KEY}`],
  gemini: ["x-goog-api-key", keys.GEMINI_API_KEY]
} as const

describe.each(dialects)("a turn with %s", (dialect) => {
  it("streams, runs its tools, gives their results to the model in call order and journals each step", async () => {
    const file = join(place.cwd, "a.txt")
    writeFileSync(file, "one\ntwo\n")
    const { client, pod, snapshot } = await serveWith(dialect)
    expect(snapshot.greeting).toMatchObject({ pod_name: "pod", cwd: place.cwd, model: "test-1" })
    server.reply(
      say(
        [
          { thinking: "a file" },
          { signature: "SIG" },
          { text: "Let me " },
          { text: "look." },
          // The slow one is called first, so its result comes last and still goes first.
          { tool: "Bash", id: "c1", args: { command: "until [ -e read ]; do :; done; echo slow" } },
          { tool: "Read", id: "c2", args: { file_path: file } }
        ],
        { usage: { input: 100, output: 20 } }
      ),
      say([{ tool: "Edit", id: "c3", args: { file_path: file, old_string: "two", new_string: "2" } }], {
        usage: { input: 200, output: 10, cacheRead: 50 }
      }),
      say([{ text: "Done." }], { usage: { input: 300, output: 5 } })
    )
    const { run_id } = accepted(await client.run("change two to 2"))
    const read = await client.next("tool_result")
    expect(read.data).toMatchObject({ id: "c2", is_error: false, output: expect.stringContaining("two") })
    writeFileSync(join(place.cwd, "read"), "")
    expect((await client.next("tool_result")).data).toMatchObject({ id: "c1", output: "slow\n" })
    const { data: end } = await client.next("run_end")
    expect(end).toMatchObject({
      run_id,
      leg: 1,
      result: "finished",
      usage: { llm_calls: 3, input_tokens: 650, output_tokens: 35, cache_read_input_tokens: 50 }
    })
    expect((await client.next("status")).data.status).toBe("idle")
    expect(readFileSync(file, "utf8")).toBe("one\n2\n")

    const names = client.lines.map(({ event }) => event)
    const order = ["user_message", "run_start", "llm_call_start", "thinking_delta", "text_delta", "tool_call_done"]
    expect(order.map((name) => names.indexOf(name as "status"))).toEqual(
      order.map((name) => names.indexOf(name as "status")).toSorted((a, b) => a - b)
    )
    for (const id of ["c1", "c2", "c3"]) {
      const at = (event: string) =>
        client.lines.findIndex((line) => line.event === event && JSON.stringify(line).includes(`"id":"${id}"`))
      expect(at("tool_call_start")).toBeGreaterThan(0)
      expect(at("tool_call_start")).toBeLessThan(at("tool_started"))
      expect(at("tool_started")).toBeLessThan(at("tool_result"))
    }

    expect(server.requests).toHaveLength(3)
    const [first, second, third] = server.requests
    const [header, key] = secrets[dialect]
    expect(first?.headers[header]).toBe(key)
    // Gemini has both in its address.
    if (dialect === "gemini") expect(first?.path).toContain("/models/test-1:streamGenerateContent")
    else expect(first?.body).toMatchObject({ model: "test-1", stream: true })
    expect(JSON.stringify(first?.body["tools"])).toMatch(
      /"Read".*"Write".*"Edit".*"Glob".*"Grep".*"Bash"|"Bash".*"Read"/
    )
    expect(toolResults(second?.body ?? {}).map(([id]) => id)).toEqual(["c1", "c2"])
    expect(toolResults(third?.body ?? {}).map(([id]) => id)).toEqual(["c1", "c2", "c3"])

    expect((await pod.kill("SIGTERM")).code).toBe(0)
    const entries = readJournal(place)
    expectSound(entries)
    expect(inputs(entries)).toEqual(["change two to 2"])
    expect(answers(entries)).toEqual(["Let me look.", "Done."])
    for (const secret of Object.values(keys)) expect(JSON.stringify(entries)).not.toContain(secret)
  })

  it("says the same bytes again after a restart, proofs of thinking included", async () => {
    const file = join(place.cwd, "a.txt")
    writeFileSync(file, "one\n")
    const started = await serveWith(dialect)
    server.reply(
      say([
        { thinking: "hm" },
        { signature: "U0lHTkFUVVJF+/==" },
        { tool: "Read", id: "c1", args: { file_path: file } },
        { tool: "Read", id: "c2", args: { file_path: file, limit: 1 } },
        { tool: "Read", id: "c3", args: { file_path: file, offset: 1 } }
      ]),
      say([{ text: "Read." }]),
      say([{ text: "Again." }])
    )
    expect(await turn(started.client, "read it")).toMatchObject({ result: "finished" })
    expect((await started.pod.kill("SIGTERM")).code).toBe(0)
    const { client } = await serveWith(dialect)
    expect(await turn(client, "and again")).toMatchObject({ result: "finished" })
    const said = server.requests.map(({ body }) =>
      // A mark for the vendor's cache moves on with the conversation.
      conversation(body).map((each) =>
        JSON.stringify(each, (name, value: unknown) => (name === "cache_control" ? undefined : value))
      )
    )
    expect(said).toHaveLength(3)
    expect(said[2]?.slice(0, said[1]?.length)).toEqual(said[1])
    // Chat has no place for it.
    expect(said[2]?.join("").match(/U0lHTkFUVVJF\+\/==/g) ?? []).toHaveLength(dialect === "openai" ? 0 : 1)
    const { body: before } = server.requests[1] ?? expect.fail()
    const { body: after } = server.requests[2] ?? expect.fail()
    for (const field of ["system", "instructions", "systemInstruction", "tools", "prompt_cache_key"]) {
      const text = (body: Fields) =>
        JSON.stringify(body[field], (name, value: unknown) => (name === "cache_control" ? undefined : value))
      expect(text(after), field).toEqual(text(before))
    }
  })

  it("is finished with an alert when the model refuses, and has failed when the context is full", async () => {
    const { client } = await serveWith(dialect)
    server.reply(
      say([{ refusal: "I will not." }]),
      failure(400, "context_length_exceeded", "Your input exceeds the context window of this model.")
    )
    expect(await turn(client, "do it")).toMatchObject({ result: "finished" })
    expect(client.lines.some((line) => line.event === "alert" && /refused/.test(line.data.message))).toBe(true)
    expect(await turn(client, "more")).toMatchObject({ result: "failed", error: { code: "provider_overflow" } })
  })

  it("closes the connection to the model when it is cancelled, before its first word and in the middle of it", async () => {
    const { client } = await serveWith(dialect)
    for (const where of ["beforeHeaders", "afterHeaders", "inside"] as const) {
      const gate = new Gate()
      const n = server.requests.length
      server.reply(
        where === "inside"
          ? say([{ text: "half " }, { gate }, { text: "whole" }])
          : say([{ text: "x" }], { [where]: gate })
      )
      const { run_id } = accepted(await client.run(where))
      await gate.reached
      if (where === "inside") await client.next("text_delta")
      expect(accepted(await client.request("cancel"))).toEqual({ run_id })
      expect((await client.next("run_end")).data).toMatchObject({
        run_id,
        result: where === "inside" ? "cancelled" : "rolled_back"
      })
      expect(await (await server.request(n)).closed).toBe("client")
      gate.open()
    }
    server.reply(say([{ text: "still here" }]))
    expect(await turn(client, "and now?")).toMatchObject({ result: "finished" })
    const asked = JSON.stringify(conversation(server.requests.at(-1)?.body ?? {}))
    expect(asked).toContain("inside")
    expect(asked).not.toMatch(/beforeHeaders|afterHeaders|half/)
  })

  it("tries again when the server says later, and shows the wait", async () => {
    const { client } = await serveWith(dialect)
    server.reply(
      failure(529, "overloaded_error", "Overloaded", { "retry-after": "0" }),
      failure(429, "rate_limit_error", "Slow down", { "retry-after-ms": "1" }),
      say([{ text: "at last" }])
    )
    expect(await turn(client, "go")).toMatchObject({ result: "finished", usage: { llm_calls: 1 } })
    const retries = client.lines.filter((line) => line.event === "llm_retry")
    expect(retries.map(({ data }) => [data.failed_attempt, data.status, data.wait_ms])).toEqual([
      [1, 529, 0],
      [2, 429, 1]
    ])
    expect(retries[0]?.data.error).toContain("Overloaded")
  })

  it("says what is wrong with a server that refuses or talks nonsense, and goes on with the next run", async () => {
    const { client } = await serveWith(dialect, "[model.limits]\nmax_attempts = 1\n")
    const host = `127.0.0.1:${server.port}`
    const cases = [
      [
        failure(401, "authentication_error", `bad key ${Object.values(keys).join()}`),
        /401.*bad key/,
        /key was refused/
      ],
      [failure(404, "not_found_error", "no such model"), /404.*no such model/, /model_id/],
      [page(502, "<html><head><title>Bad Gateway</title></head></html>"), /502.*Bad Gateway/, undefined],
      [page(200, "<html><head><title>Sign in</title></head></html>"), /web page \(Sign in\)/, /base_url/],
      [say([{ raw: "data: {nonsense\n\n" }]), /.+/, undefined],
      [say([{ text: "half" }, { error: { type: "api_error", message: "it broke" } }]), /it broke/, undefined]
    ] as const
    for (const [reply, message, hint] of cases) {
      // An answer that breaks off is continued, three times at most.
      server.reply(...(message.source === "broke off" ? [reply, reply, reply, reply] : [reply]))
      const end = await turn(client, "go")
      expect(end).toMatchObject({ result: "failed", error: { code: "provider_error" } })
      expect(end.error?.message).toMatch(message)
      expect(end.error?.message).toContain(host)
      if (hint !== undefined) expect(end.error?.hint).toMatch(hint)
      expect((await client.next("status")).data.status).toBe("idle")
    }
    server.reply(say([{ text: "well" }]))
    expect(await turn(client, "once more")).toMatchObject({ result: "finished" })
    const entries = readJournal(place)
    expectSound(entries)
    expect(answers(entries)).toEqual(["well"])
    expect(terminals(entries)).toHaveLength(cases.length + 1)
    expect(JSON.stringify([client.lines, entries])).not.toContain(secrets[dialect][1].replace("Bearer ", ""))
  })
})

describe.each(dialects)("an answer of %s that breaks off", (dialect) => {
  it("goes on in a new request, and is one message; the fourth break fails the run", async () => {
    const { client } = await serveWith(dialect)
    // Some versions of Node forget what they have read when the connection breaks: it breaks when the text was seen.
    const broken = async (text: string, ...halves: ReadonlyArray<string>) => {
      const gates = halves.map(() => new Gate())
      server.reply(...halves.map((half, i) => say([{ text: half }, { gate: gates[i]! }, { cut: true }])))
      if (text === "go") server.reply(say([{ text: "lo" }]))
      accepted(await client.run(text))
      for (const gate of gates) {
        await client.next("text_delta")
        gate.open()
      }
      return (await client.next("run_end")).data
    }
    expect(await broken("go", "Hel")).toMatchObject({ result: "finished", usage: { llm_calls: 2 } })
    expect(client.lines.filter((line) => line.event === "llm_continuation")).toMatchObject([
      { data: { attempt: 1, max_attempts: 3, reason: expect.stringContaining("broke off") } }
    ])
    // The last message asks for the rest: no vendor takes an answer of its own there.
    expect(JSON.stringify(server.requests.at(-1)?.body)).toMatch(/Hel.*Continue exactly where it ends/)
    const end = await broken("again", "a", "b", "c", "d")
    expect(end).toMatchObject({ result: "failed", error: { code: "provider_error", phase: "stream" } })
    expect(end.error?.message).toMatch(/broke off 4 times in a row/)
    const entries = readJournal(place)
    expectSound(entries)
    expect(answers(entries)).toEqual(["Hello"])
  })
})

describe("a model server that does not answer", () => {
  it("is given up where nothing listens, with the address and what to check", async () => {
    const url = await refusingUrl()
    const { client } = await serveWith("anthropic", "[model.limits]\nmax_attempts = 1\n", url)
    const end = await turn(client, "go")
    expect(end).toMatchObject({ result: "failed", error: { code: "provider_error", phase: "request" } })
    expect(end.error?.message).toContain(new URL(url).host)
    expect(end.error?.message).toContain("ECONNREFUSED")
    expect(end.error?.hint).toMatch(/model\.base_url/)
    expect(accepted(await client.request("attach_status"))).toMatchObject({ waiting_on: null })
  })

  it.each([
    ["headers", "header_timeout", "beforeHeaders"],
    ["its first event", "first_event_timeout", "afterHeaders"]
  ] as const)("is given up when %s take longer than %s", async (_, limit, where) => {
    const { client } = await serveWith("openai", `[model.limits]\nmax_attempts = 1\n${limit} = "2 seconds"\n`)
    const gate = new Gate()
    // The first request of a pod takes longer, because it is then that the vendor's code is loaded.
    server.reply(say([{ text: "hello" }]), say([{ text: "x" }], { [where]: gate }))
    await turn(client, "hello")
    const end = await turn(client, "go")
    expect(end).toMatchObject({
      result: "failed",
      error: {
        code: "provider_error",
        message: expect.stringMatching(/openai_chat \(test-1\): .* for 2 s/),
        hint: expect.stringContaining(`model.limits.${limit}`)
      }
    })
    expect(await (await server.request(1)).closed).toBe("client")
    server.reply(say([{ text: "well" }]))
    expect(await turn(client, "again")).toMatchObject({ result: "finished" })
  })

  it("is left when the rest takes longer than idle_timeout, and another request asks for it", async () => {
    const { client } = await serveWith("openai", '[model.limits]\nidle_timeout = "2 seconds"\n')
    const gate = new Gate()
    server.reply(say([{ text: "hello" }]), say([{ text: "half" }, { gate }]), say([{ text: " and whole" }]))
    await turn(client, "hello")
    expect(await turn(client, "go")).toMatchObject({ result: "finished" })
    expect(await (await server.request(1)).closed).toBe("client")
    expect(client.lines.find((line) => line.event === "llm_continuation")?.data).toMatchObject({
      reason: expect.stringMatching(/openai_chat \(test-1\): .* for 2 s/)
    })
    expect(answers(readJournal(place))).toEqual(["hello", "half and whole"])
  })
})
