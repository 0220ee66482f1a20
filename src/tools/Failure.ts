/** From the errors of the rooms below to what the model reads as the result of a call. */
import type { LaunchError } from "../runtime/Launcher.ts"
import type { SandboxError } from "../runtime/Sandbox.ts"
import type { ScopeError } from "../scope/ScopeError.ts"
import { ToolError } from "./Tool.ts"

export const invalid = (message: string): ToolError => new ToolError({ reason: "InvalidArgument", message })

export const failed = (message: string): ToolError => new ToolError({ reason: "ExecutionFailed", message })

/** What the scope refuses, the model should ask for differently; what is missing or broken is the world's fault. */
export const fromScope = (error: ScopeError): ToolError =>
  isOfWorld.has(error.reason) ? failed(error.message) : invalid(error.message)

const isOfWorld: ReadonlySet<ScopeError["reason"]> = new Set(["NotFound", "Failed", "TimedOut"])

export const fromLaunch = (error: LaunchError): ToolError => failed(error.message)

export const fromSandbox = (error: SandboxError): ToolError => failed(error.message)
