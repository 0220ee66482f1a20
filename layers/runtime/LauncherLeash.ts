/**
 * The leash: what runs in the process groups of this program dies when the program dies, however it dies.
 *
 * A small shell outside of all groups reads a pipe whose only write end is here. It is told of every group that starts
 * and ends; when the pipe ends, it kills the groups that are left, and whatever still writes into one of our pipes: a
 * process that had just been started, or one that left its group; and the first process of every pid namespace that was
 * reported. Then it removes the directory of the pipes and is gone. It is started with the first command and runs no other program while it waits.
 */
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as NFS from "node:fs"
import { Socket } from "node:net"
import * as OS from "node:os"
import * as Path from "node:path"
import * as Group from "./LauncherGroup.ts"
import { LaunchError } from "../../src/runtime/Launcher.ts"

export interface Leash {
  /** A private directory for pipes, with a watcher over it. Starts the watcher if there is none. */
  readonly ready: Effect.Effect<string, LaunchError>
  readonly add: (group: number) => void
  readonly remove: (group: number) => void
  /** Kills the groups that have not ended, lets the watcher go, and removes the directory. */
  readonly close: () => void
}

// Built-ins only, but for `ls` and `rm` at the very end. The pattern of the removal keeps the blanks around each number.
const script = `
trap '' HUP INT QUIT TERM USR1 USR2 PIPE
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="\${groups%% $group *} \${groups#* $group }" ;;
    q) exit ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
for file in "$1"/*.init; do
  while read -r key pid; do
    [ "$key" = '"child-pid":' ] || continue
    pid=\${pid%,}
    while read -r name numbers; do
      case "$name $numbers" in "NSpid: "*[!0-9]1) kill -s KILL "$pid" ;; esac
    done < "/proc/$pid/status"
  done < "$file"
done
ls -l /proc/[0-9]*/fd/[12] | while read -r line; do
  case $line in
    *" -> $1/"*)
      pid=\${line#*/proc/}
      pid=\${pid%%/*}
      kill -s KILL -- "-$pid"
      kill -s KILL "$pid" ;;
  esac
done
rm -rf -- "$1"
`

const failed = (error: unknown): LaunchError =>
  new LaunchError({
    command: "/bin/sh",
    message: `The watcher over commands could not start: ${error instanceof Error ? error.message : String(error)}.`
  })

/** An empty directory that stays behind in a temporary place is no reason to fail. */
const removeQuietly = (directory: string): void => {
  try {
    NFS.rmSync(directory, { recursive: true, force: true })
  } catch {
    // Left to whoever tidies temporary directories.
  }
}

export const make = (): Leash => {
  const groups = new Set<number>()
  let directory: string | undefined
  let watcher: ChildProcess | undefined

  // Nothing is told when the watcher is gone: the next `ready` starts another and tells it everything.
  const tell = (line: string) => void watcher?.stdin?.write(`${line}\n`)

  const letGo = () => {
    tell("q")
    watcher?.stdin?.end()
    watcher = undefined
  }

  const start = Effect.callback<string, LaunchError>((resume) => {
    try {
      // The kernel names pipes by their real path.
      const parent = (directory ??= NFS.realpathSync(NFS.mkdtempSync(Path.join(OS.tmpdir(), "effect-pod-pipes-"))))
      const child = spawn("/bin/sh", ["-c", script, "effect-pod-leash", parent], {
        cwd: "/",
        detached: true,
        env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
        stdio: ["pipe", "ignore", "ignore"]
      })
      const forget = () => {
        if (watcher === child) watcher = undefined
      }
      child.on("exit", forget)
      child.on("error", (error) => {
        forget()
        resume(Effect.fail(failed(error)))
      })
      child.stdin.on("error", forget)
      if (child.pid === undefined) return
      // Neither the watcher nor its pipe keeps this program alive.
      child.unref()
      if (child.stdin instanceof Socket) child.stdin.unref()
      watcher = child
      for (const group of groups) tell(`+ ${group}`)
      resume(Effect.succeed(parent))
    } catch (error) {
      resume(Effect.fail(failed(error)))
    }
  })

  return {
    ready: Effect.suspend(() => {
      if (directory !== undefined && !NFS.existsSync(directory)) {
        letGo()
        directory = undefined
      }
      return watcher === undefined || directory === undefined ? start : Effect.succeed(directory)
    }),
    add: (group) => {
      groups.add(group)
      tell(`+ ${group}`)
    },
    remove: (group) => {
      if (groups.delete(group)) tell(`- ${group}`)
    },
    close: () => {
      for (const group of groups) Group.signal(group, "SIGKILL")
      groups.clear()
      letGo()
      if (directory !== undefined) removeQuietly(directory)
    }
  }
}
