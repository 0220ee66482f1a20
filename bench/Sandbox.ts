/** Whether this machine can fence commands. Where it cannot, the row that needs it stays empty. */
import { spawnSync } from "node:child_process"

const trial = ["--unshare-user-try", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]

export const isUsable = (): boolean => spawnSync("bwrap", trial, { stdio: "ignore", timeout: 20_000 }).status === 0
