/** The built-in tools over a real directory, with real processes. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import type * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import * as NFS from "node:fs"
import * as Path from "node:path"
import * as PdfReaderLive from "../../layers/pdf/PdfReader.ts"
import * as LauncherLive from "../../layers/runtime/Launcher.ts"
import * as RipgrepLive from "../../layers/runtime/Ripgrep.ts"
import * as SandboxNone from "../../layers/runtime/SandboxNone.ts"
import * as PageReaderLive from "../../layers/web/PageReader.ts"
import * as WebClientLive from "../../layers/web/WebClient.ts"
import type { ScopeRule, ScopeRules } from "../../src/protocol/ScopeRule.ts"
import { Sandbox, type SandboxPolicy } from "../../src/runtime/Sandbox.ts"
import * as ScopedFs from "../../src/scope/ScopedFs.ts"
import type { CommandState } from "../../src/tools/BackgroundCommands.ts"
import { type BuiltinOptions, builtin } from "../../src/tools/builtin.ts"
import * as KnownFiles from "../../src/tools/KnownFiles.ts"
import type { Tool, ToolError, ToolOutput } from "../../src/tools/Tool.ts"
import { fill, meddled, tempDir, write } from "../scope/support.ts"

/** Launchers are shared by all tests of a file: provide it once. */
export const live = Layer.mergeAll(
  NodeFileSystem.layer,
  LauncherLive.layer,
  SandboxNone.layer,
  RipgrepLive.layer,
  WebClientLive.layer(),
  Layer.provide(PageReaderLive.layer(), LauncherLive.layer),
  Layer.provide(PdfReaderLive.layer(), LauncherLive.layer)
)

export interface Workbench {
  readonly work: string
  readonly outputDir: string
  readonly tools: ReadonlyArray<Tool>
  readonly commandState: (id: string) => CommandState
  /** What the call sent while it ran. */
  readonly shown: () => string
  readonly at: (name: string) => string
  readonly text: (name: string) => string
  readonly put: (files: Readonly<Record<string, string | Uint8Array>>) => void
  readonly call: (name: string, args: Schema.JsonObject) => ReturnType<Tool["run"]>
  readonly narrow: (rules: { readonly deny: ReadonlyArray<ScopeRule> }) => Effect.Effect<void>
}

/** A work directory that may be written, beside one that is out of scope, and the tools of one pod in it. */
export const workbench = Effect.fnUntraced(function* (
  options: {
    readonly files?: Readonly<Record<string, string | Uint8Array>>
    readonly deny?: ReadonlyArray<string>
    readonly allow?: ReadonlyArray<ScopeRule>
    /** Default: as the layers have it, with network. */
    readonly policy?: SandboxPolicy
    /** Default: the work directory. */
    readonly cwd?: string
    /** What happens on the disk when a file is about to be opened. */
    readonly beforeOpen?: (path: string) => void
  } & Partial<BuiltinOptions> = {}
) {
  const root = yield* tempDir
  const work = Path.join(root, "work")
  const outputDir = Path.join(root, "output")
  fill(root, { "work/": "", "outside/secret.txt": "secret\n" })
  fill(work, options.files ?? {})
  const allow = [...(options.cwd === undefined ? [write(work)] : []), ...(options.allow ?? [])]
  const rules = yield* Ref.make<ScopeRules>({
    allow,
    deny: (options.deny ?? []).map((name) => ({ target: Path.join(work, name), permission: "read", recursive: true }))
  })
  const fs = yield* ScopedFs.make({ cwd: options.cwd ?? work, rules: Ref.get(rules), readable: [outputDir] }).pipe(
    Effect.provide(meddled(options))
  )
  const fence = yield* (yield* Sandbox).open(options.policy ?? { mode: "auto", network: "allow" })
  const { commandState, tools } = yield* builtin({ fence, env: process.env, outputDir, ...options }).pipe(
    Effect.provideService(ScopedFs.ScopedFs, fs)
  )
  let shown = ""
  // As if every call were one of the same response.
  const known = KnownFiles.over(() => undefined)
  return {
    work,
    outputDir,
    tools,
    commandState,
    shown: () => shown,
    at: (name) => Path.join(work, name),
    text: (name) => NFS.readFileSync(Path.join(work, name), "utf8"),
    put: (files) => fill(work, files),
    call: (name, args) => {
      const tool = tools.find((one) => one.spec.name === name)
      if (tool === undefined) throw new Error(`no tool ${name}`)
      const emitOutput = (text: string) => Effect.sync(() => void (shown += text))
      return tool.run(args, { callId: "call", emitOutput, tasks: [], known, unlessRecorded: () => Effect.void })
    },
    narrow: ({ deny }) => Ref.set(rules, { allow, deny })
  } satisfies Workbench
})

/** What the model is told; the rest is for the journal. */
export const told = Effect.map((output: ToolOutput) => Struct.omit(output, ["seen"]))

export const refusal = <A, R>(effect: Effect.Effect<A, ToolError, R>) => Effect.flip(effect)

export const lines = (count: number, line = (number: number) => `line ${number}`): string =>
  Array.from({ length: count }, (_, index) => `${line(index + 1)}\n`).join("")

export const listed = (content: string | undefined): ReadonlyArray<string> => content?.split("\n") ?? []

/** Paths below the work directory, in the order in which they came. */
export const names = (bench: Workbench, content: string | undefined): ReadonlyArray<string> =>
  listed(content).map((path) => path.replace(`${bench.work}/`, ""))
