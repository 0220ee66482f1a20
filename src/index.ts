/**
 * The library's front door: what a program needs to run pods inside itself, to write tools, and to replace a part of
 * the outside world. The ready-made parts are in `effect-pod/layers`.
 */
export * as Pod from "./pod/Pod.ts"
export { type Answer, type PodHandle, PodRefused, type Reply, type RunAccepted, type RunEnd } from "./pod/PodHandle.ts"
export * as Manifest from "./manifest/Manifest.ts"
export { ManifestError } from "./manifest/ManifestError.ts"
export * as ManifestToml from "./manifest/ManifestToml.ts"
export * as Model from "./manifest/Model.ts"
export * as Tool from "./tools/Tool.ts"
export { HookDefinitionError } from "./hooks/HookDefinitionError.ts"
export { ToolDefinitionError } from "./tools/ToolDefinitionError.ts"
export { type Hook, HookError } from "./hooks/Hook.ts"
export type { Attachment } from "./session/Attachment.ts"

export { Gates } from "./llm/Gates.ts"
export { LlmClient, type ModelInfo } from "./llm/LlmClient.ts"
export { LlmError } from "./llm/LlmError.ts"
export type { LlmEvent, LlmUsage, StopReason } from "./llm/LlmEvent.ts"
export type { LlmMessage, LlmRequest, ToolSpec } from "./llm/LlmRequest.ts"

export { LaunchError, Launcher, type LaunchSpec, type RunningProcess } from "./runtime/Launcher.ts"
export { type HeldLease, Lease, LeaseError } from "./runtime/Lease.ts"
export { PageError, PageReader, type ReadablePage } from "./runtime/PageReader.ts"
export {
  PdfError,
  type PdfFacts,
  type PdfPageText,
  type PdfPart,
  PdfReader,
  type PdfTexts
} from "./runtime/PdfReader.ts"
export { type PodDir, RuntimeDir, RuntimeDirError } from "./runtime/RuntimeDir.ts"
export { WebClient, WebError, type WebRequest, type WebResponse } from "./runtime/WebClient.ts"
export { type Fence, type FencedScope, Sandbox, SandboxError, type SandboxPolicy } from "./runtime/Sandbox.ts"
export { type Opened, Opener } from "./scope/Opener.ts"
export { type PodMetadata, PodStore } from "./session/PodStore.ts"
export { type SegmentFile, type SegmentRef, SessionStore } from "./session/SessionStore.ts"
export { StorageError } from "./session/StorageError.ts"

export { type BroadcastEvent, type Envelope, Event } from "./protocol/Event.ts"
export { LogEntry } from "./protocol/LogEntry.ts"
export { Method } from "./protocol/Method.ts"
export * as Segment from "./protocol/Segment.ts"
export * as Wire from "./protocol/Wire.ts"
