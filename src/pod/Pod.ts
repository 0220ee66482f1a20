/**
 * `Pod.make`: a manifest becomes a running pod, for as long as its Scope lives.
 *
 * The order matters: name and lease first, then the session is read, then the journal opens, then the controller
 * starts. When the Scope closes, a current run is cancelled, its end is written, and nothing of the pod is left.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { LegServices } from "../agent/LegContext.ts"
import * as Toolbox from "../agent/Toolbox.ts"
import * as HookCommand from "../hooks/Command.ts"
import type { Hook } from "../hooks/Hook.ts"
import * as Hooks from "../hooks/Hooks.ts"
import type { PromptDirectories } from "../knowledge/Instruction.ts"
import { notificationBody } from "../knowledge/Wrappers.ts"
import { defaultLimits } from "../llm/Limits.ts"
import { LlmClient } from "../llm/LlmClient.ts"
import type { Manifest } from "../manifest/Manifest.ts"
import { manifestError } from "../manifest/ManifestError.ts"
import { tighter, uncountable } from "../manifest/tables/Budget.ts"
import { requestConfig } from "../manifest/tables/Worker.ts"
import type { Greeting, SandboxReport } from "../protocol/Greeting.ts"
import type { PodStatus } from "../protocol/Status.ts"
import { Launcher } from "../runtime/Launcher.ts"
import { Lease } from "../runtime/Lease.ts"
import { RuntimeDir } from "../runtime/RuntimeDir.ts"
import { Sandbox, type SandboxPolicy } from "../runtime/Sandbox.ts"
import { ShellSyntax } from "../runtime/ShellSyntax.ts"
import { boundaries, summary } from "../scope/Scope.ts"
import * as ScopedFs from "../scope/ScopedFs.ts"
import type { LiveRun } from "../session/Fold.ts"
import { PodStore } from "../session/PodStore.ts"
import { type SegmentRef, SessionStore } from "../session/SessionStore.ts"
import { builtin } from "../tools/builtin.ts"
import { toolEnvironment } from "../tools/Environment.ts"
import type { Tool } from "../tools/Tool.ts"
import * as Approving from "./Approving.ts"
import * as Authority from "./Authority.ts"
import * as Controller from "./Controller.ts"
import { cutChanges } from "./CutChanges.ts"
import * as Forking from "./Forking.ts"
import * as Handle from "./Handle.ts"
import { maxAttempts, mayGoOn } from "./Opening.ts"
import { isMethod, type LegEnded, type MethodMail } from "./Mail.ts"
import * as Mailbox from "./Mailbox.ts"
import * as PermissionTargets from "./PermissionTargets.ts"
import * as Permitting from "./Permitting.ts"
import * as Prompt from "./Prompt.ts"
import * as Recorded from "./Recorded.ts"
import * as References from "./ResolveReferences.ts"
import * as Session from "./Session.ts"
import { unknownTools } from "./UnknownTools.ts"

export interface PodOptions {
  /** Absolute. Default: the target of the manifest's first allow rule. A pod that exists goes on where it was. */
  readonly cwd?: string
  /** What was named for this start on purpose: only that may move a pod that exists, or narrow its scope. */
  readonly named?: { readonly manifest?: boolean; readonly cwd?: boolean }
  /** What commands may see of the environment; filtered again by the manifest's `[sandbox] env_allow`. */
  readonly env?: Readonly<Record<string, string>>
  /** Go on from this segment, and from now on: instead of the one that the pod's metadata name. */
  readonly session?: SegmentRef
  /** Tools beside the built-in ones. Each has a name of its own, unless it says that it replaces a built-in one. */
  readonly tools?: ReadonlyArray<Tool>
  /** Asked in this order, before the commands of the manifest. */
  readonly hooks?: ReadonlyArray<Hook>
  readonly prompts?: PromptDirectories
  /** Lines for the greeting, for example where the model comes from. */
  readonly notes?: ReadonlyArray<string>
}

/** How long a closing Scope waits for the pod to end by itself. */
const closeTimeout = "10 seconds"

export const make = Effect.fn("Pod.make")(function* (manifest: Manifest, options: PodOptions = {}) {
  const name = manifest.pod.name
  const client = yield* LlmClient
  const sandbox = yield* Sandbox
  const runtime = yield* RuntimeDir
  const { found, lease } = yield* own(name, options.session, yield* runtime.socketPath(name))
  const restored = yield* Session.restore(found)
  const isNew = restored === undefined || restored.content.index.lines === 0
  const authority = Authority.decide(
    {
      manifest,
      cwd: options.cwd,
      named: { manifest: options.named?.manifest ?? false, cwd: options.named?.cwd ?? false }
    },
    {
      scope: isNew ? undefined : restored.content.state.scope,
      cwd: (yield* isThere(found.cwd)) ? found.cwd : undefined
    }
  )
  const current = Recorded.settings(manifest, client.info)
  const isNamed = options.named?.manifest === true
  const before = isNew || isNamed ? undefined : Recorded.read(found.snapshot)
  const budget = tighter(manifest.budget, before?.budget)
  const problem = uncountable(budget, client.info.prices)
  if (problem !== undefined) return yield* manifestError("manifest", problem)
  // Other processes are asked while the pod gets ready; nothing is done before they have agreed.
  const claim = yield* Effect.forkChild(lease.claim(authority.scope), { startImmediately: true })
  const policy = Recorded.fencedBy(manifest.sandbox, before?.sandbox)
  const opening = yield* Effect.forkChild(sandbox.open(policy), { startImmediately: true })
  const dir = yield* runtime.open(name)
  const fs = yield* ScopedFs.make({
    cwd: authority.cwd,
    rules: Effect.succeed(authority.scope),
    readable: [dir.outputDir],
    owner: found.ref.sessionId
  })
  const fence = yield* Fiber.join(opening)
  const fenced = yield* fence.report({
    rules: (yield* fs.snapshot).rules,
    written: authority.scope,
    own: [dir.outputDir]
  })
  const { commandState, tools } = yield* builtin({
    fence,
    env: options.env ?? {},
    envAllow: manifest.sandbox.env_allow,
    vision: client.info.vision === true,
    ...(client.info.documents === undefined ? {} : { documents: client.info.documents }),
    outputDir: dir.outputDir,
    ...(manifest.web === undefined ? {} : { web: manifest.web })
  }).pipe(Effect.provideService(ScopedFs.ScopedFs, fs))
  const toolbox = yield* Toolbox.withOwn(tools, options.tools ?? [])
  // Those that are remembered may have a name again that the manifest has given away since.
  yield* Hooks.distinct(options.hooks ?? [], manifest.hooks?.command ?? [])
  // Known before the calls are closed; nobody waits for the disk.
  const cut = cutChanges(restored?.content.state.openCalls.values() ?? [], toolbox)
  yield* Effect.forkScoped(Effect.forEach(cut, (path) => Effect.ignore(fs.tidy(path)), { discard: true }))
  const config = isNew ? requestConfig(manifest.worker) : restored.content.state.config
  yield* Fiber.join(claim)
  const journal = yield* Session.open({
    podName: name,
    found,
    restored,
    cwd: fs.cwd,
    snapshot: isNew || isNamed ? Recorded.write(current) : undefined,
    scope: authority.scope,
    config,
    prompt: isNew
      ? yield* Prompt.prepare(manifest.worker.instruction, options.prompts ?? {}, {
          language: manifest.worker.language,
          cwd: fs.cwd,
          tools: toolbox.names,
          scopeSummary: boundaries(authority.scope),
          sandbox: fenced
        })
      : Effect.succeed({ text: restored.content.state.systemPrompt ?? "", alerts: [] }),
    syncs: manifest.session.durability === "fsync" && (yield* SessionStore).syncs,
    onInterrupted: manifest.session.on_interrupted
  })
  const tables = [manifest.permissions, before?.permissions].flatMap((table) => table ?? [])
  const commands = Recorded.hookCommands([before?.hooks, manifest.hooks])
  const notes = [
    ...(options.notes ?? []),
    ...authority.notes,
    ...(found.written && restored === undefined
      ? ["the journal that this pod's metadata name is gone; it begins a new one"]
      : []),
    ...(restored?.isLent === true
      ? [
          `segment ${found.ref.segmentId} belongs to another session; this pod goes on behind it in ${journal.segmentId()}`
        ]
      : []),
    ...(restored?.isLent === false && restored.tornBytes > 0
      ? [`a write of ${restored.tornBytes} bytes that was cut at the end of the journal was put aside`]
      : []),
    ...cutNote(journal.state.run, manifest.session.on_interrupted),
    ...(before?.permissions == null ? [] : ["the permissions that this pod was last given still hold"]),
    ...(before?.hooks === undefined ? [] : ["the hooks that this pod was last given still hold"]),
    ...(before?.budget === undefined ? [] : ["the budget that this pod was last given still holds"]),
    ...unknownTools(tables, commands, toolbox.names),
    ...sandboxNotes(fenced, policy, manifest),
    ...(before === undefined || before.model === current.model
      ? []
      : [`the model is ${current.model}; it was ${before.model} when this pod was last given a manifest`])
  ]

  const greeting: Greeting = {
    pod_name: name,
    cwd: fs.cwd,
    provider: client.info.provider,
    model: client.info.model,
    scope_summary: summary(authority.scope),
    tools: toolbox.names,
    scope: (yield* fs.snapshot).rules,
    context_window: client.info.contextWindow,
    context_tokens: journal.state.lastInputTokens,
    sandbox: fenced,
    ...(notes.length === 0 ? {} : { notes })
  }
  const launcher = yield* Launcher
  const hookCommands = commands.map((command) =>
    HookCommand.make(command, {
      launcher,
      cwd: fs.cwd,
      env: toolEnvironment(options.env ?? {}, command.env_allow),
      about: { pod: name, session_id: found.ref.sessionId }
    })
  )
  const targets = PermissionTargets.make({
    whereAre: fs.whereAre,
    cwd: fs.cwd,
    shell: yield* ShellSyntax
  })
  const approving = Approving.make(journal)
  const permit = Permitting.make(tables, targets, approving.ask)
  const services: LegServices = {
    journal,
    client,
    limits: { ...defaultLimits, ...client.limits, ...manifest.model.limits },
    toolbox,
    permit,
    hooks: Hooks.make([...(options.hooks ?? []), ...hookCommands]),
    resolve: References.make(fs, manifest.worker.file_upload.max_bytes),
    config,
    maxTurns: manifest.worker.max_turns,
    budget,
    outputLimit: (tool) => manifest.worker.tool_output.per_tool[tool] ?? manifest.worker.tool_output.default_max_bytes,
    commandState,
    notificationBody,
    inboxLock: Semaphore.makeUnsafe(1)
  }
  const writeStatus = yield* statusWriter((status) =>
    Effect.ignore(dir.writeStatus({ segmentId: journal.segmentId(), state: status }))
  )
  yield* writeStatus(journal.live.status)
  const mailbox = yield* Mailbox.make<MethodMail, LegEnded>(isMethod)
  // A Scope of their own: one that is being closed starts nothing, and the pod's closes while its last leg may begin.
  const legs = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
  const stores = { sessions: yield* SessionStore, pods: yield* PodStore, leases: yield* Lease }
  const fork = Forking.make({ name, journal, ...stores, owner: legs })
  const resumesCut = manifest.session.on_interrupted === "resume"
  const controller = yield* Controller.make({
    journal,
    mailbox,
    services,
    fork,
    approve: approving.approve,
    resumesCut,
    writeStatus,
    scope: legs
  })
  const fiber = yield* Effect.forkScoped(controller.loop)
  const handle = yield* Handle.make({
    name,
    greeting,
    sessionId: found.ref.sessionId,
    journal,
    mailbox,
    stopped: controller.stopped,
    isStopped: controller.isStopped,
    completions: References.completions(fs),
    attend: approving.attend
  })
  yield* Effect.forkScoped(Effect.delay(warmUp(toolbox), "50 millis"))
  yield* Effect.addFinalizer(() =>
    handle.shutdown.pipe(Effect.andThen(Fiber.await(fiber)), Effect.timeoutOption(closeTimeout), Effect.interruptible)
  )
  return handle
})

/** Owners that may come and go while this one tries to become the next. */
const ownTries = 5

/** Which session the pod has, and the lease on it. What was read before the lease was held may be another owner's past. */
const own = Effect.fnUntraced(function* (name: string, session: SegmentRef | undefined, socket: string | null) {
  const leases = yield* Lease
  for (let tries = 1; ; tries++) {
    const before = yield* Session.find(name, session)
    const scope = yield* Scope.fork(yield* Effect.scope)
    const lease = yield* leases
      .acquire({ podName: name, sessionId: before.ref.sessionId, socket })
      .pipe(Scope.provide(scope))
    const found = yield* Session.find(name, session, before.ref)
    if (found.ref.sessionId === before.ref.sessionId || tries === ownTries) return { found, lease }
    yield* Scope.close(scope, Exit.void)
  }
})

/** What the first request needs and a start does not, made while nobody waits for it. */
const warmUp = ({ specs }: Toolbox.Toolbox) =>
  Effect.forEach(
    specs,
    (spec) =>
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => spec.parameters)
      ),
    { discard: true }
  )

/** Said at the start: a fence that was hoped for and is not there or not whole, and one that nobody asked for today. */
const sandboxNotes = (
  { enforced, reason, weaker = [] }: SandboxReport,
  policy: SandboxPolicy,
  { sandbox }: Manifest
) => [
  ...(policy.mode === sandbox.mode && policy.network === sandbox.network
    ? []
    : ["the sandbox that this pod was last given still holds"]),
  ...(enforced || policy.mode !== "auto" ? [] : [reason]),
  ...(enforced || policy.network === "allow"
    ? []
    : ['sandbox.network = "deny" is not enforced: commands that are not fenced reach the network']),
  ...weaker.map((line) => `the sandbox is weaker here: ${line}`)
]

/** Said at the start; `run` is as it is after a leg that was cut has been closed. */
const cutNote = (run: LiveRun | undefined, policy: Session.OnInterrupted): ReadonlyArray<string> => {
  if (run?.state !== "paused" || !run.cut) return []
  if (policy === "resume" && mayGoOn(run)) return ["the run that was cut when this pod ended goes on"]
  const why = policy === "resume" ? `it was cut ${maxAttempts} times in a row, so it` : "the run that was cut"
  return [`${why} is paused: resume goes on with it, cancel ends it`]
}

/** A pod whose directory is gone works where it is started. */
const isThere = (path: string | undefined) =>
  path === undefined
    ? Effect.succeed(false)
    : Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.orElseSucceed(fs.exists(path), () => false))

/** Between two writes of the status file: a short turn is not worth two of them. */
const statusPause = "200 millis"

/** The status file follows at its own pace: only the newest status matters, and nobody waits for the disk. */
const statusWriter = Effect.fnUntraced(function* (write: (status: PodStatus) => Effect.Effect<void>) {
  const latest = yield* Queue.sliding<PodStatus>(1)
  yield* Queue.take(latest).pipe(
    Effect.flatMap(write),
    Effect.andThen(Effect.sleep(statusPause)),
    Effect.forever,
    Effect.forkScoped
  )
  return (status: PodStatus) => Effect.asVoid(Queue.offer(latest, status))
})
