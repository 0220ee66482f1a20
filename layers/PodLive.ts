/**
 * The outside world as shipped: files for sessions, kernel locks for leases, real processes, a real model.
 *
 * One of these serves any number of pods in a program. Each piece can be replaced: provide another layer for its
 * service on top.
 */
import * as Digest from "effect/crypto/Digest"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Gates from "../src/llm/Gates.ts"
import type { LlmClient } from "../src/llm/LlmClient.ts"
import type { LlmError } from "../src/llm/LlmError.ts"
import type { ResolvedModel } from "../src/manifest/Model.ts"
import type { Launcher } from "../src/runtime/Launcher.ts"
import type { Lease } from "../src/runtime/Lease.ts"
import type { PageReader } from "../src/runtime/PageReader.ts"
import type { PdfReader } from "../src/runtime/PdfReader.ts"
import type { RuntimeDir } from "../src/runtime/RuntimeDir.ts"
import type { Sandbox } from "../src/runtime/Sandbox.ts"
import type { ShellSyntax } from "../src/runtime/ShellSyntax.ts"
import type { WebClient } from "../src/runtime/WebClient.ts"
import type { PodStore } from "../src/session/PodStore.ts"
import type { Opener } from "../src/scope/Opener.ts"
import type { SessionStore } from "../src/session/SessionStore.ts"
import type { Ripgrep } from "../src/tools/Ripgrep.ts"
import * as Model from "./llm/Model.ts"
import * as PdfReaderLive from "./pdf/PdfReader.ts"
import type { Directories } from "./runtime/Directories.ts"
import * as Files from "./runtime/Files.ts"
import * as LauncherLive from "./runtime/Launcher.ts"
import * as LeaseLive from "./runtime/Lease.ts"
import * as OpenerLive from "./runtime/Opener.ts"
import * as RipgrepLive from "./runtime/Ripgrep.ts"
import * as RuntimeDirLive from "./runtime/RuntimeDir.ts"
import * as SandboxBubblewrap from "./runtime/SandboxBubblewrap.ts"
import * as Unbash from "./shell/Unbash.ts"
import * as JsonLinesStore from "./store/JsonLinesStore.ts"
import * as MemoryStore from "./store/MemoryStore.ts"
import * as PodFiles from "./store/PodFiles.ts"
import * as PageReaderLive from "./web/PageReader.ts"
import * as WebClientLive from "./web/WebClient.ts"

/** Everything that a pod needs but its model. */
export type PodWorld =
  | SessionStore
  | PodStore
  | Lease
  | RuntimeDir
  | Launcher
  | Sandbox
  | Ripgrep
  | WebClient
  | PageReader
  | PdfReader
  | ShellSyntax
  | FileSystem.FileSystem
  | Opener
  | Digest.Digest
  | Gates.Gates

export interface WorldOptions {
  /** Where everything lies; `Directories.resolve` finds the usual places. */
  readonly directories: Directories
  /** Sessions are kept in memory and are gone with the process. Default false. */
  readonly ephemeral?: boolean
  /** Pods get a place for a socket. Default false: a pod inside a program is not listened for. */
  readonly socket?: boolean
}

export const world = (options: WorldOptions): Layer.Layer<PodWorld> => {
  const { config, data, pods, runtime, sessions } = options.directories
  const ephemeral = options.ephemeral === true
  return Layer.mergeAll(
    ephemeral
      ? MemoryStore.layer
      : Layer.merge(JsonLinesStore.layer({ sessionsDir: sessions }), PodFiles.layer({ podsDir: pods })),
    LeaseLive.layer({ dataDir: ephemeral ? null : data, runtimeDir: runtime }),
    RuntimeDirLive.layer({ runtimeDir: runtime, socket: options.socket === true }),
    LauncherLive.layer,
    Layer.provide(SandboxBubblewrap.layer({ hidden: [config, data, runtime] }), LauncherLive.layer),
    RipgrepLive.layer,
    WebClientLive.layer(),
    Layer.provide(PageReaderLive.layer(), LauncherLive.layer),
    Layer.provide(PdfReaderLive.layer(), LauncherLive.layer),
    Unbash.layer,
    Files.layer,
    OpenerLive.layer,
    Digest.layerWebCrypto,
    Gates.layer
  )
}

export interface PodLiveOptions extends WorldOptions {
  /** From `Model.resolveModel`, or put together by hand. */
  readonly model: ResolvedModel
  /** From `Fallback.resolveFallbacks`. Default none. */
  readonly fallbacks?: ReadonlyArray<ResolvedModel>
}

export const layer = (options: PodLiveOptions): Layer.Layer<PodWorld | LlmClient, LlmError> =>
  Layer.provideMerge(Model.layer(options.model, options.fallbacks), world(options))
