/**
 * What a manifest asks for and this version does not do. The keys are part of the contract and are kept; whoever
 * starts the pod is told, line by line, that they change nothing yet.
 */
import type { Manifest } from "./Manifest.ts"

/** One sentence for each thing that has no effect, empty if everything has. */
export const notYet = (manifest: Manifest): ReadonlyArray<string> => {
  const lines: Array<string> = []
  const say = (given: boolean, line: string) => (given ? void lines.push(line) : undefined)
  const { pod, session, spawn } = manifest
  say(pod.pwd !== undefined, "pod.pwd is obsolete and ignored: the working directory is --cwd.")
  say(pod.prompt_pack !== undefined, "pod.prompt_pack has no effect in this version: the built-in texts are used.")
  say(session.record_event_trace, "session.record_event_trace has no effect in this version.")
  say(
    spawn.isolation !== "process" || spawn.max_depth !== 3 || spawn.max_children !== 16 || spawn.budget !== undefined,
    "[spawn] has no effect in this version: a pod cannot raise pods."
  )
  say(manifest.compaction !== undefined, "[compaction] has no effect in this version: a full context ends the run.")
  say(manifest.memory !== undefined, "[memory] has no effect in this version: nothing is remembered over sessions.")
  say(
    manifest.skills !== undefined && manifest.skills.directories.length > 0,
    "[skills] has no effect in this version: no skills are loaded."
  )
  return lines
}
