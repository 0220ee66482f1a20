/** The check of `doctor` on what is stored: which pods cannot be read, and which are held by a process that is stopped. */
import * as Effect from "effect/Effect"
import { fail, type Finding, ok, warn } from "./Finding.ts"
import * as Machine from "./Machine.ts"
import { reportAll } from "./PodReport.ts"
import { oneLine, plural } from "./Text.ts"

type Env = Readonly<Record<string, string | undefined>>

export const checkPods = (env: Env): Effect.Effect<ReadonlyArray<Finding>> =>
  Machine.make(env).pipe(
    Effect.flatMap(reportAll),
    Effect.map((reported): ReadonlyArray<Finding> => {
      const reports = reported.map(({ report }) => report)
      const findings = reports.flatMap(({ error, name, state }) =>
        error === undefined
          ? []
          : state === "broken"
            ? [
                fail(
                  `pod ${name}`,
                  oneLine(error, 400),
                  `effect-pod inspect ${name} says more, repair ${name} mends a log`
                )
              ]
            : [warn(`pod ${name}`, oneLine(error, 400), `effect-pod status ${name} says more`)]
      )
      return findings.length > 0 ? findings : [ok("pods", `${plural(reports.length, "pod")}, all of them can be read`)]
    }),
    // Directories have a check of their own.
    Effect.catch(({ hint, message }) => Effect.succeed([warn("pods", message, hint ?? "see the directories above")]))
  )
