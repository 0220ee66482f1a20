/** Every rule of scripts/check-boundaries.mjs, broken once; and code that looks like a breach and is none. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { beforeAll } from "vitest"

const script = Path.resolve("scripts/check-boundaries.mjs")

const check = (files: Readonly<Record<string, string>>) => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "boundaries-"))
  for (const [name, text] of Object.entries(files)) {
    const path = Path.join(directory, name)
    Fs.mkdirSync(Path.dirname(path), { recursive: true })
    Fs.writeFileSync(path, text)
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, directory], { encoding: "utf8" })
  Fs.rmSync(directory, { recursive: true })
  assert.strictEqual(stderr, "")
  return { status, lines: stdout.split("\n").filter((line) => line !== "") }
}

/** File, code, and what the one complaint about it must say. */
const breaches: ReadonlyArray<readonly [file: string, code: string, says: string]> = [
  ["src/pod/NodeModule.ts", `\nimport * as Fs from "node:fs"\n`, `:2  imports "node:fs": the core imports no package`],
  ["src/pod/Builtin.ts", `import { join } from "path"`, `:1  imports "path": the core imports no package`],
  ["src/llm/Sdk.ts", `import OpenAI from "openai"`, `imports "openai": the core imports no package`],
  ["src/llm/TypeOfSdk.ts", `export type T = import("@anthropic-ai/sdk").T`, `imports "@anthropic-ai/sdk"`],
  ["src/llm/Lazy.ts", `export const load = () => import("@google/genai")`, `imports "@google/genai"`],
  ["src/server/Platform.ts", `export * from "@effect/platform-node/NodeSocket"`, `"@effect/platform-node/NodeSocket"`],
  ["src/pod/Layer.ts", `import { layer } from "../../layers/PodLive.ts"`, "the core does not know layers/"],
  ["src/index.ts", `export * from "../layers/index.ts"`, "the core does not know layers/"],
  [
    "src/protocol/Up.ts",
    `import type { Tool } from "../tools/Tool.ts"`,
    "protocol/ may use Version.ts, and not tools/"
  ],
  [
    "src/agent/Up.ts",
    `import { Pod } from "../pod/Pod.ts"`,
    "agent/ may use Version.ts, protocol, scope, runtime, session"
  ],
  [
    "src/session/Neighbour.ts",
    `export { x } from "../llm/LlmClient.ts"`,
    "session/ may use Version.ts, protocol, scope, runtime,"
  ],
  ["src/pod/Command.ts", `import { run } from "../cli/Run.ts"`, "only src/main.ts and src/cli/ use the commands"],
  ["src/cli/Main.ts", `import "../main.ts"`, "nothing uses src/main.ts"],
  ["layers/Command.ts", `import { run } from "../src/cli/Run.ts"`, "only src/main.ts and src/cli/ use the commands"],
  ["src/pod/Front.ts", `import { Pod } from "../index.ts"`, "src/index.ts is for the library's users"],
  ["src/utils/Room.ts", `export const a = 1`, ":1  src/utils is no room of the house"],
  ["src/pod/Now.ts", `export const t = () => Date.now()`, "Date.now: hidden input"],
  ["src/pod/NewDate.ts", `export const t = () => new Date()`, "new Date(): hidden input"],
  ["src/pod/CallDate.ts", `export const t = () => Date()`, "Date(): hidden input"],
  ["src/pod/Random.ts", `export const r = () => Math.random()`, "Math.random: hidden input"],
  ["src/pod/Uuid.ts", `export const id = () => crypto.randomUUID()`, "crypto.randomUUID: hidden input"],
  ["src/pod/Env.ts", `export const key = process.env.KEY`, "process: hidden input"],
  ["src/pod/Cwd.ts", `const { cwd } = process\nexport const here = cwd()`, ":1  process: hidden input"],
  ["src/pod/Timer.ts", `export const later = (f: () => void) => setTimeout(f, 1)`, "setTimeout: hidden input"],
  ["src/pod/Detach.ts", `export const f = Effect.forkDetach`, "forkDetach: a fork has an owner"],
  ["layers/Detach.ts", `import { forkDetach } from "effect/Effect"`, "forkDetach: a fork has an owner"],
  ["test/Detach.test.ts", `Effect.forkDetach(program)`, "forkDetach: a fork has an owner"],
  ["src/main.ts", `Effect.forkDetach(program)`, "forkDetach: a fork has an owner"],
  ["src/pod/Long.ts", "// line\n".repeat(401), ":401  401 lines, at most 400"],
  ["layers/Long.ts", "// line\n".repeat(401), ":401  401 lines, at most 400"],
  ["test/pod/Long.test.ts", "// line\n".repeat(401), ":401  401 lines, at most 400"],
  ["src/pod/Broken.ts", `export const = 1`, "cannot be parsed"]
]

const allowed: Readonly<Record<string, string>> = {
  "src/main.ts": `import * as Fs from "node:fs"\nimport "../layers/PodLive.ts"\nimport "./cli/Run.ts"\nprocess.exit(Date.now())`,
  "src/cli/Run.ts": `import OpenAI from "openai"\nimport { layer } from "../../layers/PodLive.ts"\nexport const a = process.env.A`,
  "src/cli/Log.ts": `import { a } from "./Run.ts"`,
  "src/index.ts": `export * as Pod from "./pod/Pod.ts"\nexport * as Method from "./protocol/Method.ts"`,
  "src/pod/Pod.ts": `import * as Effect from "effect/Effect"\nimport { t } from "../agent/Turn.ts"\nimport { x } from "./Inbox.ts"`,
  "src/pod/Words.ts": `// Date.now() and process.env\nexport const hint = "new Date() of process.cwd()"\nexport const d = new Date(0)`,
  "src/tools/Bash.ts": `export const f = (process: { readonly pid: number }) => process.pid`,
  "src/tools/Field.ts": `export interface P { readonly process: string }\nexport const f = (p: P) => ({ process: p.process })`,
  "src/pod/Full.ts": "// line\n".repeat(400),
  "layers/PodLive.ts": `import * as Fs from "node:fs"\nimport { Pod } from "../src/pod/Pod.ts"\nexport const now = Date.now()`,
  "test/cli/Run.test.ts": `import { a } from "../../src/cli/Run.ts"`
}

describe("check-boundaries", () => {
  let result: ReturnType<typeof check>
  beforeAll(() => {
    result = check(Object.fromEntries(breaches.map(([file, code]) => [file, code])))
  })

  it.each(breaches)("%s is refused", (file, _code, says) => {
    const lines = result.lines.filter((line) => line.startsWith(`${file}:`))
    assert.strictEqual(lines.length, 1, lines.join("\n"))
    assert.include(lines[0], says)
  })

  it("ends with 1", () => assert.strictEqual(result.status, 1))

  it("lets honest code pass", () => assert.deepStrictEqual(check(allowed), { status: 0, lines: [] }))
})
