/** `[skills]`: directories whose children hold a `SKILL.md`. There are no implicit ones. */
import * as Schema from "effect/Schema"
import { defaulted, FilePath } from "../Fields.ts"

export const SkillsTable = Schema.Struct({
  directories: defaulted(Schema.Array(FilePath), [], "Roots of skills; they become readable.")
})
export type SkillsTable = typeof SkillsTable.Type
