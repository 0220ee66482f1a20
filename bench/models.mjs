/**
 * What is measured of the model's side: the built library, or a vendor's SDK and nothing else, in a fresh process that does
 * one thing, tells what it took over the IPC channel of `fork`, and ends.
 *
 *   node models.mjs decode WHO URL DIST DIALECT   -> { perSecond, cpu }             long answers, one after the other
 *   node models.mjs pods WHO URL DIST             -> { wall, cpu, memory, spread }  100 answers at once
 *
 * WHO is `pod` or `floor`. Times are in milliseconds, `cpu` in seconds of all threads, memory in KiB for one pod.
 */
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

const [, , what, who, url, dist, dialect] = process.argv

const built = (path) => import(pathToFileURL(join(dist, path)).href)

/** Whoever reads a key looks for one. */
const apiKey = "bench"

/** Answers that are long enough to forget how they began, and short enough to be many. */
const longAnswer = { first: 2, measured: 5, deltas: 4000 }
const podCount = 100
const podDeltas = 500

const baseUrl = { anthropic: url, openai_chat: `${url}/v1`, openai_responses: `${url}/v1`, gemini: url }

/** Reads an answer of so many deltas with the SDK alone, and tells how many there were. */
const sdks = {
  anthropic: async () => {
    const { default: Anthropic } = await import("@anthropic-ai/sdk")
    const client = new Anthropic({ apiKey, baseURL: baseUrl.anthropic, maxRetries: 0 })
    return async (count) => {
      let seen = 0
      const messages = [{ role: "user", content: "go" }]
      const answer = await client.messages.create({ model: "bench-1", max_tokens: count, messages, stream: true })
      for await (const event of answer) if (event.type === "content_block_delta" && event.delta.text !== "") seen++
      return seen
    }
  },
  openai_chat: async () => {
    const { default: OpenAI } = await import("openai")
    const client = new OpenAI({ apiKey, baseURL: baseUrl.openai_chat, maxRetries: 0 })
    return async (count) => {
      let seen = 0
      const messages = [{ role: "user", content: "go" }]
      const answer = await client.chat.completions.create({
        model: "bench-1",
        max_completion_tokens: count,
        messages,
        stream: true
      })
      for await (const chunk of answer) if (chunk.choices[0]?.delta.content) seen++
      return seen
    }
  },
  openai_responses: async () => {
    const { default: OpenAI } = await import("openai")
    const client = new OpenAI({ apiKey, baseURL: baseUrl.openai_responses, maxRetries: 0 })
    return async (count) => {
      let seen = 0
      const answer = await client.responses.create({
        model: "bench-1",
        max_output_tokens: count,
        input: "go",
        stream: true
      })
      for await (const event of answer) if (event.type === "response.output_text.delta") seen++
      return seen
    }
  },
  gemini: async () => {
    const { GoogleGenAI } = await import("@google/genai/web")
    const client = new GoogleGenAI({ apiKey, apiVersion: "v1beta", httpOptions: { baseUrl: baseUrl.gemini } })
    return async (count) => {
      let seen = 0
      const config = { maxOutputTokens: count }
      const answer = await client.models.generateContentStream({ model: "bench-1", contents: "go", config })
      for await (const chunk of answer) if (chunk.candidates?.[0]?.content?.parts?.[0]?.text) seen++
      return seen
    }
  }
}

const resolved = (scheme) => ({
  scheme,
  modelId: "bench-1",
  baseUrl: baseUrl[scheme],
  apiKey: Redacted.make(apiKey),
  contextWindow: 200_000,
  limits: {},
  capability: { vision: false },
  notes: []
})

/** The same with the client of a pod, time limits and all. */
const ours = async (scheme) => {
  const [{ make }, { patient }, { defaultLimits }] = await Promise.all([
    built("layers/llm/Model.js"),
    built("src/llm/Patience.js"),
    built("src/llm/Limits.js")
  ])
  const client = await Effect.runPromise(make(resolved(scheme)))
  const ask = patient(client, defaultLimits, () => Effect.void)
  return async (count) => {
    let seen = 0
    const config = {
      max_tokens: count,
      temperature: null,
      top_p: null,
      top_k: null,
      stop_sequences: [],
      reasoning: null
    }
    const messages = [{ role: "user", text: "go" }]
    const answer = ask({ system: undefined, messages, tools: [], config, cacheKey: "bench" })
    await Effect.runPromise(
      Stream.runForEachArray(answer, (events) =>
        Effect.sync(() => {
          for (const event of events) if (event.type === "delta") seen++
        })
      )
    )
    return seen
  }
}

const cpuSeconds = () => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}

const decode = async () => {
  const read = who === "pod" ? await ours(dialect) : await sdks[dialect]()
  const once = async () => {
    const seen = await read(longAnswer.deltas)
    if (seen !== longAnswer.deltas) throw new Error(`of ${longAnswer.deltas} deltas ${seen} came`)
  }
  for (let n = 0; n < longAnswer.first; n++) await once()
  const before = { at: performance.now(), cpu: cpuSeconds() }
  for (let n = 0; n < longAnswer.measured; n++) await once()
  const all = longAnswer.deltas * longAnswer.measured
  return {
    perSecond: (all / (performance.now() - before.at)) * 1000,
    cpu: ((cpuSeconds() - before.cpu) / all) * 1000
  }
}

/** Bytes that live. What a network read into may outlast one collection, so it is collected until nothing more goes. */
const weigh = () => {
  let least = Number.POSITIVE_INFINITY
  for (let same = 0; same < 3; ) {
    globalThis.gc()
    const { arrayBuffers, heapUsed } = process.memoryUsage()
    same = heapUsed + arrayBuffers < least ? 0 : same + 1
    least = Math.min(least, heapUsed + arrayBuffers)
  }
  return least
}

/** Runs all of them at once and tells when each has ended. */
const together = async (all) => {
  const before = { at: performance.now(), cpu: cpuSeconds() }
  const ends = await Promise.all(
    all.map(async (one) => {
      await one()
      return performance.now() - before.at
    })
  )
  return {
    wall: Math.max(...ends),
    cpu: cpuSeconds() - before.cpu,
    spread: Math.max(...ends) / Math.min(...ends)
  }
}

const bare = async () => {
  const read = await sdks.anthropic()
  await read(podDeltas)
  return together(Array.from({ length: podCount }, () => () => read(podDeltas)))
}

const run = (pod) =>
  Effect.flatMap(pod.runToEnd("go"), ({ result }) =>
    result === "finished" ? Effect.void : Effect.die(new Error(`a run ended ${result}`))
  )

const pods = Effect.gen(function* () {
  const { Manifest, Pod } = yield* Effect.promise(() => built("src/index.js"))
  const open = Effect.fnUntraced(function* (n) {
    const manifest = yield* Manifest.make({
      pod: { name: `pod-${n}` },
      worker: { max_tokens: podDeltas },
      scope: { allow: [{ target: "/tmp", permission: "read" }] }
    })
    return yield* Pod.make(manifest, { cwd: "/tmp" })
  })
  // What the first one loads belongs to nobody.
  yield* run(yield* open("first"))
  const empty = weigh()
  const all = yield* Effect.forEach(Array.from({ length: podCount }), (_, n) => open(n))
  const took = yield* Effect.promise(() => together(all.map((pod) => () => Effect.runPromise(run(pod)))))
  return { ...took, memory: (weigh() - empty) / podCount / 1024 }
})

const sharing = async () => {
  const [{ layer }, { world }] = await Promise.all([built("layers/llm/Model.js"), built("layers/PodTest.js")])
  const services = Layer.provideMerge(layer(resolved("anthropic")), world())
  return Effect.runPromise(Effect.scoped(pods).pipe(Effect.provide(services)))
}

const result = what === "decode" ? await decode() : who === "pod" ? await sharing() : await bare()
process.send(result, () => process.exit())
