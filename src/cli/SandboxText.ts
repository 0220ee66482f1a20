/** The report of a sandbox in the words of a table. */
import type { SandboxReport } from "../protocol/Greeting.ts"

/** The mounts of the scope, as in `write /srv/a; hidden /srv/a/keys`. */
export const mountsText = ({ mounts = [] }: SandboxReport): string =>
  mounts.length === 0 ? "nothing of the scope" : mounts.map(({ access, path }) => `${access} ${path}`).join("; ")

export const sandboxText = (report: SandboxReport): string =>
  report.enforced
    ? `${report.mode}, network ${report.network === "deny" ? "denied" : "and abstract sockets of this machine"}; ${mountsText(report)}`
    : `not fenced: ${report.reason}`
