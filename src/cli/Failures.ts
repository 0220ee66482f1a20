/** Errors of the rooms below as errors of a command: the exit code that the contract gives them, and what to do. */
import type { ListenError } from "../../layers/runtime/SocketServer.ts"
import type { HookDefinitionError } from "../hooks/HookDefinitionError.ts"
import type { PromptError } from "../knowledge/PromptError.ts"
import type { LlmError } from "../llm/LlmError.ts"
import type { ManifestError } from "../manifest/ManifestError.ts"
import type { LeaseError } from "../runtime/Lease.ts"
import type { RuntimeDirError } from "../runtime/RuntimeDir.ts"
import type { SandboxError } from "../runtime/Sandbox.ts"
import type { ScopeError } from "../scope/ScopeError.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { ToolDefinitionError } from "../tools/ToolDefinitionError.ts"
import { type CliError, corrupt, failed, held } from "./CliError.ts"

/** Everything that can keep a pod from starting. */
export type HostFailure =
  | StorageError
  | LeaseError
  | RuntimeDirError
  | ManifestError
  | PromptError
  | LlmError
  | ListenError
  | ScopeError
  | ToolDefinitionError
  | HookDefinitionError
  | SandboxError

export const hostFailure = (error: HostFailure): CliError => {
  switch (error._tag) {
    case "StorageError":
      return storageError(error)
    case "LeaseError":
      return leaseError(error)
    case "RuntimeDirError":
    case "SandboxError":
    case "LlmError":
      return failed(error.message, error.hint)
    case "ManifestError":
    case "PromptError":
    case "ListenError":
    case "ScopeError":
    case "ToolDefinitionError":
    case "HookDefinitionError":
      return failed(error.message)
  }
}

export const storageError = (error: StorageError): CliError =>
  error.reason === "Corrupt" || error.reason === "Newer"
    ? corrupt(error.message, error.hint)
    : failed(error.message, error.hint)

export const leaseError = (error: LeaseError): CliError => {
  if (error.reason === "Unavailable") return failed(error.message)
  const { owner } = error
  if (owner === undefined) return held(error.message)
  return held(
    error.message,
    owner.stopped
      ? `process ${owner.pid} is stopped: kill -CONT ${owner.pid} lets it go on, ` +
          `effect-pod serve --pod ${owner.pod_name} --takeover ends it and takes its place`
      : error.reason === "ScopeOverlap"
        ? `work in another directory, or stop it: effect-pod stop ${owner.pod_name}`
        : `talk to it with effect-pod attach ${owner.pod_name}, or stop it with effect-pod stop ${owner.pod_name}`
  )
}
