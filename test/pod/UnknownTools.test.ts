/** What a pod says at its start of rules and hooks that are about no tool of its own. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PodTest from "../../layers/PodTest.ts"
import type * as Manifest from "../../src/manifest/Manifest.ts"
import * as Pod from "../../src/pod/Pod.ts"
import * as Workspace from "../support/workspace.ts"

const notesOf = (extra: Partial<Manifest.ManifestInput>) =>
  Effect.gen(function* () {
    const cwd = yield* Workspace.withNotes
    const pod = yield* Pod.make(yield* Workspace.manifestFor(cwd, "tester", extra), { cwd })
    return (pod.greeting.notes ?? []).filter((note) => /permissions|hook/.test(note))
  }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))

const rule = (tool: string) => ({ tool, pattern: "*", action: "deny" as const })

describe("rules and hooks", () => {
  it.effect("about a tool that the pod does not have are told, each name once, with what was probably meant", () =>
    Effect.gen(function* () {
      const rules = [rule("Bahs"), rule("Bahs"), rule("bash"), rule("WebFetch"), rule("*")]
      expect(yield* notesOf({ permissions: { default_action: "allow", rule: rules } })).toEqual([
        'a rule of the permissions is about the tool "Bahs", which this pod does not have: did you mean Bash?',
        'a rule of the permissions is about "*", but a rule names one tool: it decides nothing'
      ])
      const hook = (name: string, tool: string, on: "pre_tool_call" | "on_abort" = "pre_tool_call") => ({
        name,
        tool,
        on: [on] as const,
        command: ["/bin/true"] as const
      })
      const command = [hook("fine", "*"), hook("part", "web*"), hook("guard", "Raed"), hook("else", "Nope", "on_abort")]
      expect(yield* notesOf({ hooks: { command } })).toEqual([
        'the hook "guard" is about the tool "Raed", which this pod does not have: did you mean Read?'
      ])
    })
  )
})
