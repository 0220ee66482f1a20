/** Whether this machine can fence commands: what needs that is skipped elsewhere, and counted so. */
import { spawnSync } from "node:child_process"

const trial = ["--unshare-user-try", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "true"]

export const canFence = spawnSync("bwrap", trial, { stdio: "ignore", timeout: 20_000 }).status === 0
