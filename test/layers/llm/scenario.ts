/** One conversation with everything in it, for the captured requests of both vendors. */
import type { LlmRequest } from "../../../src/llm/LlmRequest.ts"
import type { Reply } from "../../support/VendorServer.ts"

export const scenario: LlmRequest = {
  system: "You are a pod.",
  messages: [
    { role: "system", text: "[File: notes.md]\nalpha" },
    { role: "user", text: "Compare a and b." },
    {
      role: "assistant",
      blocks: [
        { kind: "thinking", text: "Two files.", signature: "SIG" },
        { kind: "thinking", text: "", encrypted: "HIDDEN" },
        { kind: "text", text: "Reading both." },
        { kind: "tool_call", id: "call_a", name: "Read", arguments: '{"file_path":"/a"}' },
        { kind: "tool_call", id: "call_b", name: "Read", arguments: '{"file_path":"/b"}' }
      ]
    },
    {
      role: "tool",
      results: [
        { id: "call_a", name: "Read", text: "1 line\nalpha", isError: false },
        { id: "call_b", name: "Read", text: "/b: no such file", isError: true }
      ]
    },
    { role: "system", text: "[Notification]\nhurry" },
    { role: "assistant", blocks: [{ kind: "text", text: "b is missing." }] },
    { role: "user", text: "Then search." }
  ],
  tools: [
    {
      name: "Grep",
      description: "Searches.",
      parameters: { type: "object", properties: { pattern: { type: "string" } }, required: ["pattern"] }
    },
    { name: "Now", description: "Tells the time.", parameters: { type: "object" } }
  ],
  config: { max_tokens: 2000, temperature: null, top_p: null, top_k: null, stop_sequences: ["END"], reasoning: null },
  cacheKey: "segment-1"
}

/** Bytes as a server would send them: `data:` lines of the given values, or lines as they are. */
export const bytes = (...events: ReadonlyArray<object | string>): Reply => ({
  kind: "whole",
  status: 200,
  headers: { "content-type": "text/event-stream" },
  body: events.map((event) => (typeof event === "string" ? event : `data: ${JSON.stringify(event)}\n\n`)).join("")
})
