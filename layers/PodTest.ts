/**
 * A world for tests: sessions, leases and runtime directories in memory, a model that plays a script.
 *
 * Files and processes are real, because tools are. Everything else depends on `Clock` and `Random` alone, so a test
 * under `TestClock` plays an hour in milliseconds and the same again under the same seed.
 */
import * as Digest from "effect/crypto/Digest"
import * as Layer from "effect/Layer"
import * as Gates from "../src/llm/Gates.ts"
import type { LlmClient } from "../src/llm/LlmClient.ts"
import type { PodWorld } from "./PodLive.ts"
import * as Scripted from "./llm/Scripted.ts"
import * as Files from "./runtime/Files.ts"
import * as PdfReaderLive from "./pdf/PdfReader.ts"
import * as LauncherLive from "./runtime/Launcher.ts"
import * as LeaseLive from "./runtime/Lease.ts"
import * as OpenerLive from "./runtime/Opener.ts"
import * as RipgrepLive from "./runtime/Ripgrep.ts"
import * as RuntimeDirLive from "./runtime/RuntimeDir.ts"
import * as SandboxNone from "./runtime/SandboxNone.ts"
import * as Unbash from "./shell/Unbash.ts"
import * as MemoryStore from "./store/MemoryStore.ts"
import * as PageReaderLive from "./web/PageReader.ts"
import * as WebClientLive from "./web/WebClient.ts"

/** Everything but the model. Give it a `MemoryStore` to start a pod again on what an earlier one has written. */
export const world = (store?: MemoryStore.MemoryStore): Layer.Layer<PodWorld> =>
  Layer.mergeAll(
    store?.layer ?? MemoryStore.layer,
    LeaseLive.layerMemory,
    RuntimeDirLive.layerMemory,
    LauncherLive.layer,
    SandboxNone.layer,
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

/** The model answers with these calls, one after the other; `Script` tells what it was asked. */
export const layer = (
  calls: ReadonlyArray<Scripted.ScriptCall>,
  store?: MemoryStore.MemoryStore
): Layer.Layer<PodWorld | LlmClient | Scripted.Script> => Layer.merge(world(store), Scripted.layer(calls))
