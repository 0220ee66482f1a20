/** Which files a pod was changing when it was killed, by the calls that its journal has left open. */
import * as Result from "effect/Result"
import type { Toolbox } from "../agent/Toolbox.ts"
import { parseArguments } from "../llm/Response.ts"
import type { OpenCall } from "../session/Fold.ts"

export const cutChanges = (openCalls: Iterable<OpenCall>, toolbox: Toolbox): ReadonlyArray<string> =>
  Array.from(openCalls).flatMap(({ call, started }) => {
    const { problem, text } = parseArguments(call.arguments)
    const tool = toolbox.get(call.name)
    if (!started || problem !== undefined || tool === undefined) return []
    // A tool of somebody else's may throw; then nothing is known of what it changes.
    return Result.getOrElse(
      Result.try(() => tool.mutates(JSON.parse(text))),
      () => []
    ).filter((path) => path.startsWith("/"))
  })
