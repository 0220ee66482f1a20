/**
 * What a leg works with, and what is written down about it while it goes on.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Semaphore from "effect/Semaphore"
import type { Hooks } from "../hooks/Hooks.ts"
import type { LlmClient } from "../llm/LlmClient.ts"
import type { Limits } from "../llm/Patience.ts"
import type { BudgetTable } from "../manifest/tables/Budget.ts"
import type { RequestConfig, RunUsage } from "../protocol/LogEntry.ts"
import type { InboxRecord } from "../protocol/PodRecord.ts"
import type { Journal } from "../session/Journal.ts"
import type { CommandState } from "../tools/BackgroundCommands.ts"
import type { Permit } from "./Permission.ts"
import type { Resolve } from "./References.ts"
import type { RunFailure } from "./RunFailure.ts"
import type { Toolbox } from "./Toolbox.ts"

/** What a pod gives to each of its legs. */
export interface LegServices {
  readonly journal: Journal
  readonly client: LlmClient["Service"]
  readonly limits: Limits
  readonly toolbox: Toolbox
  readonly permit: Permit
  readonly hooks: Hooks
  readonly resolve: Resolve
  readonly config: RequestConfig
  /** Generations with tools that one run may make; undefined is unlimited. */
  readonly maxTurns: number | undefined
  /** What the run and its session may spend; undefined is unlimited. */
  readonly budget: BudgetTable | undefined
  /** Bytes of a tool's content that the model gets. */
  readonly outputLimit: (tool: string) => number
  /** What has become of a command in the background. */
  readonly commandState: (id: string) => CommandState
  readonly notificationBody: (text: string) => string
  /**
   * Makes the conversation shorter, and tells whether it has. Asked once in each generation, when the model says that
   * the conversation does not fit.
   */
  readonly makeRoom?: Effect.Effect<boolean, RunFailure>
  /** Held while items of the inbox are given to the model, or removed. */
  readonly inboxLock: Semaphore.Semaphore
}

/** Why somebody outside ends a leg. */
export type StopReason = "cancel" | "pause" | "shutdown"

/** What is written down about a leg while it goes on; it belongs to the leg's fiber, and to the controller after it. */
export interface LegProgress {
  readonly runId: string
  readonly leg: number
  /** Something was produced: from here on an interrupted run is not rolled back. */
  active: boolean
  usage: RunUsage
  /** Why it is being interrupted, if it is. */
  stop: StopReason | undefined
  /** How many images and documents a request of this leg may show: with more of them one did not fit. Absent: no bound. */
  maxShown?: number
  /** Inbox items that this leg took, to be given back if it is rolled back. */
  readonly taken: Array<InboxRecord>
}

/** Tells whoever watches that something is not as it should be, and that the run goes on. */
export const warn = (services: LegServices, message: string): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (timestamp_ms) =>
    services.journal.emit({ event: "alert", data: { level: "warn", source: "worker", message, timestamp_ms } })
  )
