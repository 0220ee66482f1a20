/** `effect-pod status NAME`: one pod, and what it is busy with. */
import * as Effect from "effect/Effect"
import type { ScopeRule } from "../protocol/ScopeRule.ts"
import type { TaskCounts } from "../protocol/Task.ts"
import { ExitCode } from "./CliError.ts"
import type { Command } from "./Invocation.ts"
import { table } from "./List.ts"
import * as Machine from "./Machine.ts"
import { type LiveDetail, type PodReport, type Reported, reportOf } from "./PodReport.ts"
import { usageText } from "./RunEndText.ts"
import { oneLine, plural, visibleLine } from "./Text.ts"
import { sandboxText } from "./SandboxText.ts"
import * as Values from "./Values.ts"

/** What only a running pod can say. */
const more = ({ snapshot, welcome }: LiveDetail) => {
  const { greeting } = snapshot
  return {
    server: welcome.server,
    provider: greeting.provider,
    model: greeting.model,
    context_window: greeting.context_window,
    context_tokens: greeting.context_tokens,
    scope_summary: greeting.scope_summary,
    ...(greeting.scope === undefined ? {} : { scope: greeting.scope }),
    tools: greeting.tools,
    ...(greeting.sandbox === undefined ? {} : { sandbox: greeting.sandbox }),
    notes: greeting.notes ?? [],
    inbox: snapshot.inbox?.length ?? 0,
    pending_approvals: snapshot.pending_approvals?.length ?? 0,
    approvals: snapshot.pending_approvals ?? [],
    waiting_on: snapshot.waiting_on ?? null
  }
}

const deniedText = (deny: ReadonlyArray<ScopeRule>): string =>
  Array.from(
    new Set(deny.map(({ permission, recursive, target }) => `${permission} ${target}${recursive ? "" : " (flat)"}`))
  ).join(", ")

export const rows = (
  report: PodReport & { readonly journal?: string },
  { live, tasks, usage }: Pick<Reported, "live" | "tasks" | "usage">
): ReadonlyArray<ReadonlyArray<string>> => {
  const base: Array<readonly [string, string | undefined]> = [
    ["name", report.name],
    ["state", report.state],
    ["status", report.status],
    ["problem", report.error],
    ["directory", report.cwd],
    ["pid", report.pid?.toString()],
    ["socket", report.socket],
    ["session", report.session_id],
    ["segment", report.segment_id],
    ["journal", report.journal],
    ["entries", report.entries?.toString()],
    ["updated", report.updated_at],
    ["used", usage === undefined ? undefined : usageText(usage)],
    ["tasks", tasks === undefined ? undefined : tasksText(tasks)]
  ]
  if (live !== undefined) {
    const {
      approvals,
      context_tokens,
      context_window,
      inbox,
      model,
      provider,
      sandbox,
      scope,
      scope_summary,
      tools,
      waiting_on
    } = more(live)
    base.push(
      ["model", `${provider} ${model}, ${context_tokens} of ${context_window} tokens used`],
      ["scope", scope_summary.replace(/\s*\n\s*-?\s*/g, " ")],
      ["denied", deniedText(scope?.deny ?? [])],
      ["tools", tools.join(", ")],
      ["sandbox", sandbox === undefined ? undefined : sandboxText(sandbox)],
      ["narrower", sandbox?.narrower?.join("; ")],
      ["weaker", sandbox?.weaker?.join("; ")],
      ...approvals.map(
        ({ approval_id, target, tool }) =>
          ["asks for", `${tool} ${visibleLine(target, 200)} (approval ${approval_id})`] as const
      ),
      ["waits on", waiting_on === null ? undefined : waiting_on.kind],
      ["inbox", inbox === 0 ? undefined : plural(inbox, "item")]
    )
  }
  return base.flatMap(([key, value]) => (value === undefined || value === "" ? [] : [[key, oneLine(value, 400)]]))
}

/** Empty if there are none. */
const tasksText = (tasks: TaskCounts): string =>
  Object.entries(tasks)
    .flatMap(([status, count]) => (count === 0 ? [] : [`${count} ${status}`]))
    .join(", ")

/** What is known of its session, for `--json`. */
export const ofSession = ({ live, tasks, usage }: Pick<Reported, "live" | "tasks" | "usage">) => ({
  ...(live === undefined ? {} : more(live)),
  ...(usage === undefined ? {} : { usage }),
  ...(tasks === undefined ? {} : { tasks })
})

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, positionals, terminal }) {
    const name = yield* Values.podName(positionals[0] ?? "")
    const machine = yield* Machine.make(env)
    const reported = yield* reportOf(machine, name)
    if (reported === undefined) return yield* Machine.unknownPod(machine, name)
    const { segment_id, session_id } = reported.report
    const report =
      session_id === undefined || segment_id === undefined
        ? reported.report
        : { ...reported.report, journal: machine.segmentPath(session_id, segment_id) }
    yield* terminal.out(
      flags["json"] === true
        ? `${JSON.stringify({ ...report, ...ofSession(reported) })}\n`
        : table(rows(report, reported))
    )
    return ExitCode.ok
  })
}
