/**
 * `Bash`: one command in a fresh shell, with its whole process tree.
 *
 * The call ends when the shell ends, or at its time limit: then the rest of the tree is ended too, and what was written
 * so far is the result. How a command ends is never an error of the tool.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Launcher } from "../runtime/Launcher.ts"
import type { Fence } from "../runtime/Sandbox.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import * as CommandOutput from "./CommandOutput.ts"
import type { BackgroundCommands } from "./BackgroundCommands.ts"
import { type Ending, suffix } from "./Ending.ts"
import { fromLaunch, fromSandbox, fromScope, invalid } from "./Failure.ts"
import type * as OutputFiles from "./OutputFiles.ts"
import * as Tool from "./Tool.ts"

const defaultSeconds = 120
const maxSeconds = 600

/** The files of so many commands are kept; older ones are removed. */
const maxSpilled = 32

const Parameters = Schema.Struct({
  command: Schema.String.annotate({ description: "The command, as for `bash -c`." }),
  timeout: Schema.optionalKey(
    Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({
      description:
        `Seconds until the command is ended: 1 to ${maxSeconds}, ${defaultSeconds} by default. In the background there ` +
        "is no limit."
    })
  ),
  run_in_background: Schema.optionalKey(
    Schema.Boolean.annotate({
      description:
        "Return at once with an id, and let the command run: BashOutput shows what it writes, KillShell ends it. For " +
        "servers and watchers. It ends with the pod."
    })
  )
})

const description =
  "Runs a command with bash in the working directory. Every call is a new shell: directory and variables do " +
  "not carry over. There is no input. Returns stdout and stderr in the order in which they were written; of long " +
  "output the beginning and the end, and the path of a file with all of it, which Read can show. The call ends when the shell " +
  "ends: jobs that it leaves in the background (`&`) are ended with it. What is to run on needs run_in_background."

const maxTitle = 80

const title = (command: string): string => {
  const [line = ""] = command.split("\n")
  const characters = Array.from(line)
  return characters.length > maxTitle ? `${characters.slice(0, maxTitle - 1).join("")}…` : line
}

/** Live text: characters that a chunk splits wait for their rest. */
const makeShow = (context: Tool.ToolCallContext) => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  return (chunk: Uint8Array) => {
    const text = decoder.decode(chunk, { stream: true })
    return text === "" ? Effect.void : context.emitOutput(text)
  }
}

export const make = (options: {
  readonly fs: ScopedFsShape
  readonly files: OutputFiles.OutputFiles
  readonly launcher: Launcher["Service"]
  readonly background: BackgroundCommands
  readonly fence: Fence
  readonly env: Readonly<Record<string, string>>
  readonly outputDir: string
  readonly limits: CommandOutput.OutputLimits
}): Tool.Tool => {
  const { background, fence, fs, launcher, limits } = options
  const spilled: Array<OutputFiles.OutputFile> = []

  const fenced = Effect.fnUntraced(function* (command: string) {
    const { rules } = yield* Effect.mapError(fs.snapshot, fromScope)
    const scope = { rules, written: yield* fs.rules, own: [options.outputDir] }
    const spec = { command: "bash", args: ["-c", "--", command], cwd: fs.cwd, env: options.env }
    return yield* Effect.mapError(fence.wrap(spec, scope), fromSandbox)
  })

  const runInBackground = Effect.fnUntraced(function* (command: string, context: Tool.ToolCallContext) {
    const spec = yield* fenced(command)
    const { id, path } = yield* background.start(title(command), spec, context.unlessRecorded)
    return {
      summary: `$ ${title(command)} (in the background: ${id})`,
      content: `BashOutput with the id ${id} shows what it writes, KillShell ends it. All of its output is in ${path}.\n`,
      outputPath: path,
      command: { state: "running" as const, id, title: title(command) }
    }
  })

  const execute = Effect.fnUntraced(function* (
    command: string,
    seconds: number,
    output: CommandOutput.CommandOutput,
    context: Tool.ToolCallContext
  ): Effect.fn.Return<Ending, Tool.ToolError, Scope.Scope> {
    const spec = yield* fenced(command)
    // Closed as soon as the command is over, before its last output is taken: the tree must not outlive the call.
    const tree = yield* Effect.acquireRelease(Scope.make(), Scope.close)
    const running = yield* Effect.mapError(Scope.provide(launcher.start(spec), tree), fromLaunch)
    const overQuota = yield* Deferred.make<Ending>()
    const show = makeShow(context)
    const reading = yield* Effect.forkChild(
      running.output.pipe(
        Stream.takeWhileEffect((chunk) =>
          Effect.andThen(show(chunk), output.push(chunk)).pipe(
            Effect.tap((goesOn) =>
              goesOn ? Effect.void : Deferred.succeed(overQuota, { _tag: "OverQuota", bytes: limits.quotaBytes })
            )
          )
        ),
        Stream.runDrain
      )
    )
    const ending = yield* Effect.raceFirst(running.exit, Deferred.await(overQuota)).pipe(
      Effect.timeoutOrElse({
        duration: Duration.seconds(seconds),
        orElse: () => Effect.succeed<Ending>({ _tag: "TimedOut", seconds })
      })
    )
    yield* Scope.close(tree, Exit.void)
    yield* Fiber.join(reading)
    return ending
  })

  const remember = Effect.fnUntraced(function* (file: OutputFiles.OutputFile) {
    file.finish(Effect.void)
    spilled.push(file)
    const oldest = spilled.length > maxSpilled ? spilled.shift() : undefined
    if (oldest !== undefined) yield* oldest.remove
  })

  return Tool.make({
    name: "Bash",
    description,
    parameters: Parameters,
    idempotent: false,
    run: Effect.fn("Tool.Bash")(function* ({ command, run_in_background, timeout }, context) {
      if (command.includes("\0"))
        return yield* invalid("The command holds a NUL character: no program can be given one.")
      if (run_in_background === true) return yield* runInBackground(command, context)
      const seconds = Math.min(maxSeconds, Math.max(1, timeout ?? defaultSeconds))
      return yield* Effect.scoped(
        Effect.gen(function* () {
          const output = yield* CommandOutput.make({ files: options.files, limits })
          const ending = yield* execute(command, seconds, output, context)
          const { content, file, truncated } = yield* output.finish
          if (file !== undefined) yield* remember(file)
          return {
            summary: `$ ${title(command)}${suffix(ending)}`,
            ...(content === "" ? {} : { content }),
            ...(truncated ? { truncated } : {}),
            ...(file === undefined ? {} : { outputPath: file.path })
          }
        })
      )
    })
  })
}
