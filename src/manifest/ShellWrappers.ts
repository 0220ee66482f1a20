/**
 * Programs that run another command that stands in their arguments, and how that command is found.
 *
 * - `passes`: it adds nothing of its own, so only what it runs has to be allowed: `timeout 5 npm test` is `npm test`.
 * - `adds`: it changes what the command may do or what it gets, so both have to be allowed: `sudo`, `xargs`.
 * - `carries`: how it finds the command is not known here. It has to be allowed by its own words, and is denied or asked
 *   for if any end of them is: `strace -f rm x` by a rule for `rm *`.
 */
import type { Template } from "../runtime/ShellSyntax.ts"
import { literal } from "./ShellWords.ts"

export interface Wrapper {
  readonly kind: "passes" | "adds"
  /** Options that take the next word. A word behind an option that is not known here hides the command. */
  readonly valued: ReadonlyArray<string>
  readonly flags: ReadonlyArray<string>
  /** Words between the options and the command. */
  readonly operands?: number
  /** `NAME=value` may stand in front of the command. */
  readonly assigns?: boolean
}

const wrapper = (
  kind: Wrapper["kind"],
  flags: string,
  valued: string,
  rest: Pick<Wrapper, "operands" | "assigns"> = {}
): Wrapper => ({ kind, flags: split(flags), valued: split(valued), ...rest })

const split = (words: string): ReadonlyArray<string> => words.split(" ").filter((word) => word !== "")

const wrappers: ReadonlyMap<string, Wrapper> = new Map([
  ["builtin", wrapper("passes", "", "")],
  ["command", wrapper("passes", "-p", "")],
  ["env", wrapper("passes", "- -i --ignore-environment -v --debug", "-u --unset -C --chdir", { assigns: true })],
  ["exec", wrapper("passes", "-c -l -cl -lc", "-a")],
  ["ionice", wrapper("passes", "-t --ignore", "-c --class -n --classdata")],
  ["nice", wrapper("passes", "", "-n --adjustment")],
  ["nohup", wrapper("passes", "", "")],
  ["setsid", wrapper("passes", "-c --ctty -f --fork -w --wait", "")],
  ["stdbuf", wrapper("passes", "", "-i --input -o --output -e --error")],
  ["time", wrapper("passes", "-p -v --verbose --portability", "")],
  [
    "timeout",
    wrapper("passes", "--foreground --preserve-status -f -p -v --verbose", "-k --kill-after -s --signal", {
      operands: 1
    })
  ],
  [
    "sudo",
    wrapper(
      "adds",
      "-A -b -E -H -k -n -P -S --askpass --background --non-interactive --preserve-env --set-home --stdin",
      "-C -D -g -h -p -R -r -T -t -u --user --group --chdir --chroot --host --prompt --role --type --close-from",
      { assigns: true }
    )
  ],
  ["doas", wrapper("adds", "-n", "-a -C -u")],
  [
    "xargs",
    wrapper(
      "adds",
      "-0 -o -p -r -t -x --null --open-tty --interactive --no-run-if-empty --verbose --exit",
      "-a -d -E -I -L -n -P -s --arg-file --delimiter --max-args --max-procs --max-chars"
    )
  ]
])

const carriers: ReadonlySet<string> = new Set(
  split(
    "apptainer arch ash bwrap busybox bsdtime catchsegv choom chpst chroot chronic chrt coresched cpulimit crun daemonize dbus-run-session " +
      "docker entr eatmydata expect faketime fakeroot fd firejail flatpak flock gdb gosu gtimeout i386 kubectl ld.so lldb " +
      "linux32 linux64 ltrace mosh nix-shell nsenter numactl parallel perf pipesz pkexec podman pppd prlimit proot proxychains " +
      "proxychains4 rlwrap run-parts runcon runuser runc s6-setuidgid schedtool screen script setarch setpriv setuidgid sg softlimit ssh su " +
      "start-stop-daemon strace su-exec sudoedit systemd-run taskset tini tmux toybox torsocks tsocks trickle tsp unbuffer unshare " +
      "uclampset uname26 valgrind viddy watch watchexec x86_64 xvfb-run"
  )
)

export const isCarrier = (name: string): boolean => carriers.has(name) || name.startsWith("ld-linux")

const shellStarters: ReadonlySet<string> = new Set(
  split(
    "chroot fakeroot i386 linux32 linux64 newgrp nsenter parallel runuser script setarch sg su uname26 unshare x86_64"
  )
)

/** Without a command they run a shell, or take commands from their input. */
export const startsShell = (name: string): boolean => shellStarters.has(name)

export const wrapperOf = (name: string): Wrapper | undefined => wrappers.get(name)

export interface Inner {
  readonly assignments: ReadonlyArray<string>
  readonly words: ReadonlyArray<Template>
}

/** What the wrapper runs, undefined if that cannot be told, and no words if it runs nothing. */
export const innerOf = (
  { assigns, flags, operands = 0, valued }: Wrapper,
  args: ReadonlyArray<Template>
): Inner | undefined => {
  const assignments: Array<string> = []
  let at = 0
  for (; at < args.length; at++) {
    const word = literal(args[at] as Template)
    if (word === undefined) return undefined
    if (word === "--") {
      at += 1
      break
    }
    const equals = word.indexOf("=")
    if (valued.includes(word)) at += 1
    else if (flags.includes(word)) continue
    else if (word.startsWith("--") && equals > 0 && valued.includes(word.slice(0, equals))) continue
    else if (/^-[A-Za-z]./.test(word) && valued.includes(word.slice(0, 2))) continue
    else if (word.startsWith("-")) return undefined
    else break
  }
  if (at > args.length) return undefined
  for (; assigns === true && at < args.length; at++) {
    const word = literal(args[at] as Template)
    if (word === undefined) return undefined
    if (!word.includes("=")) break
    if (!/^[A-Za-z_][\w%]*=/.test(word)) return undefined
    assignments.push(word)
  }
  const skipped = args.slice(at, at + operands)
  if (skipped.some((word) => literal(word) === undefined)) return undefined
  return { assignments, words: args.slice(at + operands) }
}
