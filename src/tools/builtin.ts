/**
 * The built-in tools of one pod. What they remember (files that were spilled, commands in the background) is made here
 * and belongs to that pod alone. What still runs ends with the Scope.
 */
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import type { ManifestError } from "../manifest/ManifestError.ts"
import type { WebTable } from "../manifest/tables/Web.ts"
import { Launcher } from "../runtime/Launcher.ts"
import { PageReader } from "../runtime/PageReader.ts"
import { PdfReader } from "../runtime/PdfReader.ts"
import { WebClient } from "../runtime/WebClient.ts"
import type { Fence } from "../runtime/Sandbox.ts"
import { ScopedFs } from "../scope/ScopedFs.ts"
import * as BackgroundCommands from "./BackgroundCommands.ts"
import * as Bash from "./Bash.ts"
import * as BashOutput from "./BashOutput.ts"
import * as CommandOutput from "./CommandOutput.ts"
import * as Edit from "./Edit.ts"
import { toolEnvironment } from "./Environment.ts"
import * as Glob from "./Glob.ts"
import * as Grep from "./Grep.ts"
import { defaultContentBytes } from "./Limits.ts"
import * as KillShell from "./KillShell.ts"
import * as OutputFiles from "./OutputFiles.ts"
import * as Read from "./Read.ts"
import { Ripgrep } from "./Ripgrep.ts"
import * as Search from "./Search.ts"
import * as Tasks from "./Tasks.ts"
import type { Tool } from "./Tool.ts"
import * as Tracker from "./Tracker.ts"
import type * as WebTools from "./WebTools.ts"
import * as Write from "./Write.ts"

export interface BuiltinOptions {
  /** The environment of the pod's own process; commands get the allowed part of it. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Names to allow besides; one may end in `*`. Names that end in `_API_KEY` never pass. */
  readonly envAllow?: ReadonlyArray<string>
  /** Around commands and searches. */
  readonly fence: Fence
  /** Absolute; where long output of commands is kept. Made when it is needed; should be readable in the scope. */
  readonly outputDir: string
  /** The model is shown images. Default false. */
  readonly vision?: boolean
  /** The model is shown PDF documents. Default: as `vision`. */
  readonly documents?: boolean
  /** Bulk of one result in bytes. Should lie below the cap of the turn loop. Default: 60 KiB. */
  readonly contentBytes?: number
  /** Bytes of output that one command may write. Default: 64 MiB. */
  readonly outputQuotaBytes?: number
  /** Bytes of output of all commands that are kept on disk. Default: 256 MiB. */
  readonly outputTotalBytes?: number
  /** Which web tools there are. Absent: none. */
  readonly web?: WebTable
}

export interface Builtin {
  readonly tools: ReadonlyArray<Tool>
  /** What has become of a command in the background. */
  readonly commandState: BackgroundCommands.BackgroundCommands["stateOf"]
}

export const builtin: (
  options: BuiltinOptions
) => Effect.Effect<
  Builtin,
  ManifestError,
  FileSystem.FileSystem | Launcher | PageReader | PdfReader | Ripgrep | Scope.Scope | ScopedFs | WebClient
> = Effect.fnUntraced(function* (options) {
  const fs = yield* ScopedFs
  const launcher = yield* Launcher
  const ripgrep = yield* Ripgrep
  const tracker = yield* Effect.provide(Tracker.make, Digest.layerWebCrypto)
  const env = toolEnvironment(options.env, options.envAllow)
  const client = yield* WebClient
  const reader = yield* PageReader
  const pdf = yield* PdfReader
  const search = Search.make({ launcher, ripgrep, fence: options.fence, env })
  const contentBytes = options.contentBytes ?? defaultContentBytes
  const vision = options.vision === true
  const limits = {
    ...CommandOutput.defaultLimits,
    ...(options.outputQuotaBytes === undefined ? {} : { quotaBytes: options.outputQuotaBytes }),
    ...(options.outputTotalBytes === undefined ? {} : { totalBytes: options.outputTotalBytes })
  }
  const files = yield* FileSystem.FileSystem
  const outputs = OutputFiles.make({ fs: files, directory: options.outputDir, totalBytes: limits.totalBytes })
  const background = yield* BackgroundCommands.make({ launcher, files: outputs, limits })
  const tools = [
    Read.make({ fs, tracker, pdf, contentBytes, vision, documents: options.documents ?? vision }),
    Write.make({ fs, tracker, contentBytes }),
    Edit.make({ fs, tracker, contentBytes }),
    Glob.make({ fs, files, search, contentBytes }),
    Grep.make({ fs, files, search, contentBytes }),
    Bash.make({
      fs,
      files: outputs,
      launcher,
      background,
      fence: options.fence,
      env,
      outputDir: options.outputDir,
      limits
    }),
    BashOutput.make(background),
    KillShell.make(background),
    ...Tasks.make({ contentBytes }),
    ...(options.web === undefined
      ? []
      : yield* web({ table: options.web, client, reader, env: options.env, contentBytes }))
  ]
  return { tools, commandState: background.stateOf }
})

/** Loaded by the pods that have them. */
const web = (options: WebTools.WebOptions) =>
  Effect.flatMap(
    Effect.promise(() => import("./WebTools.ts")),
    ({ make }) => make(options)
  )
