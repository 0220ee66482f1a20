/** Whether this machine can fence commands: what needs that is skipped elsewhere, and counted so. */
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"

const trial = ["--unshare-user-try", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "true"]

export const canFence = spawnSync("bwrap", trial, { stdio: "ignore", timeout: 20_000 }).status === 0

const unknown = "--disable-userns|--bind-fd|--ro-bind-fd|--seccomp"

/** Puts a `bwrap` there that knows less, like an older version. The rest it leaves to the one in PATH. */
export const makeOlder = (directory: string): void => {
  const script = [
    "#!/bin/sh",
    "for o; do case $o in --) break;;",
    `${unknown}) echo "bwrap: Unknown option $o" >&2; exit 1;; esac; done`,
    `PATH='${process.env["PATH"] ?? ""}'`,
    'exec bwrap "$@"'
  ]
  writeFileSync(join(directory, "bwrap"), `${script.join("\n")}\n`, { mode: 0o755 })
}
