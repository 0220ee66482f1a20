/** `[pod]`: who the pod is. */
import * as Schema from "effect/Schema"
import { podNamePattern, podNameRule } from "../../protocol/PodName.ts"
import { FilePath, matching, optional, required } from "../Fields.ts"

const PodName = matching(podNamePattern, `a pod name: ${podNameRule}`)

export const PodTable = Schema.Struct({
  name: required(PodName, "The pod's name. `--pod` overrides it."),
  prompt_pack: optional(FilePath, "A file that replaces texts which the pod adds to the conversation."),
  pwd: optional(Schema.String, "Obsolete and ignored; the working directory is `--cwd`.")
})
