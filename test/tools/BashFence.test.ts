/**
 * The fence of Bash against commands that want out. Each case says what was tried and what stopped it.
 *
 * Without bubblewrap nothing here can be shown, and it counts as skipped; what holds without is in
 * `BashUnfenced.test.ts`.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { afterAll, assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { spawn } from "node:child_process"
import * as NFS from "node:fs"
import * as Net from "node:net"
import * as OS from "node:os"
import * as Path from "node:path"
import * as LauncherLive from "../../layers/runtime/Launcher.ts"
import * as RipgrepLive from "../../layers/runtime/Ripgrep.ts"
import * as SandboxBubblewrap from "../../layers/runtime/SandboxBubblewrap.ts"
import * as PageReaderLive from "../../layers/web/PageReader.ts"
import * as WebClientLive from "../../layers/web/WebClient.ts"
import type { SandboxPolicy } from "../../src/runtime/Sandbox.ts"
import { canary, eventually, isRunning } from "../layers/runtime/LauncherSupport.ts"
import { fill, read, tempDir, write } from "../scope/support.ts"
import { canFence } from "../support/bubblewrap.ts"
import { workbench, type Workbench } from "./support.ts"

/** What pods keep for themselves, in a place that every test here may put into its scope. */
const home = NFS.realpathSync(NFS.mkdtempSync(Path.join(OS.tmpdir(), "effect-pod-test-home-")))
afterAll(() => NFS.rmSync(home, { recursive: true, force: true }))
const own = { hidden: ["config", "data", "run"].map((name) => Path.join(home, name)) }

const fenced = Layer.mergeAll(
  NodeFileSystem.layer,
  LauncherLive.layer,
  RipgrepLive.layer,
  Layer.provide(SandboxBubblewrap.layer(own), LauncherLive.layer),
  WebClientLive.layer(),
  Layer.provide(PageReaderLive.layer(), LauncherLive.layer)
)

const deny: SandboxPolicy = { mode: "required", network: "deny" }
const allow: SandboxPolicy = { mode: "required", network: "allow" }

const bash = (bench: Workbench, command: string, timeout?: number) =>
  bench.call("Bash", { command, ...(timeout === undefined ? {} : { timeout }) })

/** Both what it said and how it ended. */
const tried = (bench: Workbench, command: string) =>
  Effect.map(
    bash(bench, command),
    ({ content = "", summary }) => `${content}${/\((exit|killed|timed|ended)[^)]*\)$/.exec(summary)?.[0] ?? "(fine)"}`
  )

const written = Effect.fnUntraced(function* (bench: Workbench, name: string) {
  while (!NFS.existsSync(bench.at(name)) || !bench.text(name).endsWith("\n")) yield* Effect.yieldNow
  return bench.text(name).trim()
})

describe.skipIf(!canFence)("behind the fence", () => {
  layer(fenced)((it) => {
    describe("of mounts", () => {
      it.effect("reading outside of the scope finds nothing: it is not mounted", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          const outside = Path.resolve(bench.work, "../outside/secret.txt")
          assert.match(yield* tried(bench, `cat ${outside}`), /No such file/)
          assert.match(yield* tried(bench, "cat ../outside/secret.txt"), /No such file/)
          assert.match(
            yield* tried(bench, `cat /etc/shadow /root/.bashrc ${process.cwd()}/package.json`),
            /(No such file[^]*){3}/
          )
          assert.strictEqual((yield* bash(bench, "ls ..")).content, "work\n")
          assert.notInclude((yield* bash(bench, "ls / /home /root /var /run /srv 2>&1")).content, "secret")
        })
      )

      it.effect("links and hard links out of the scope lead nowhere: their targets are not mounted", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          const outside = Path.resolve(bench.work, "../outside")
          NFS.symlinkSync(outside, bench.at("there"))
          assert.match(yield* tried(bench, "cat there/secret.txt"), /No such file/)
          assert.match(yield* tried(bench, `ln -s ${outside}/secret.txt s; cat s`), /No such file/)
          assert.match(yield* tried(bench, `ln ${outside}/secret.txt h`), /No such file/)
          assert.match(
            yield* tried(bench, "cat /proc/1/root/../outside/secret.txt /proc/1/cwd/../outside/secret.txt"),
            /No such file/
          )
        })
      )

      it.effect("writing outside of the scope is refused: everything else is read-only", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny, allow: [] })
          for (const path of ["/x", "/usr/x", "/usr/bin/x", "/etc/x", "/home/x"]) {
            assert.match(
              yield* tried(bench, `echo > ${path}`),
              /Read-only file system|No such file|Permission denied/,
              path
            )
          }
          assert.strictEqual(yield* tried(bench, "echo in > in; cat in"), "in\n(fine)")
        })
      )

      it.effect("mounts cannot be changed: there are no privileges, and none come with set-uid programs", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny, files: { "keys/k": "secret" }, deny: ["keys"] })
          assert.match(
            yield* tried(bench, "mount -o remount,rw /usr"),
            /permission denied|must be superuser|\(exit code/
          )
          assert.notInclude(yield* tried(bench, "umount keys; cat keys/k"), "secret")
          // A user namespace of one's own gives power over new mounts, and none over those that came with the fence.
          assert.notInclude(
            yield* tried(bench, "unshare -rm sh -c 'umount keys; umount -l keys; cat keys/k' 2>&1"),
            "secret"
          )
          assert.match(yield* tried(bench, "mknod d b 8 0"), /not permitted/)
          assert.strictEqual(
            (yield* bash(bench, "grep -h ^CapEff /proc/self/status")).content,
            "CapEff:\t0000000000000000\n"
          )
          assert.strictEqual((yield* bash(bench, "grep NoNewPrivs /proc/self/status")).content, "NoNewPrivs:\t1\n")
          // Where the fence has a hole, the machine stays as it is: what is written is what is there.
          const tunable = "/proc/sys/vm/swappiness"
          assert.match(yield* tried(bench, `was=$(cat ${tunable}); echo $was > ${tunable}`), /Read-only|denied/)
          assert.strictEqual(
            (yield* bash(bench, "find /proc -maxdepth 3 -not -path '/proc/[0-9]*' -writable ! -type l 2>/dev/null"))
              .content,
            undefined
          )
          assert.strictEqual((yield* bash(bench, "ls /dev | grep -c '^[svh]d\\|^loop\\|^mem\\|^kmsg'")).content, "0\n")
        })
      )

      it.effect("what is denied stays so, also when its directory is renamed, linked or replaced", () =>
        Effect.gen(function* () {
          const files = { "a/b/key": "secret\n", "a/c": "c", conf: "old\n" }
          const bench = yield* workbench({ policy: deny, files, deny: ["a/b/key"] })
          yield* bench.narrow({
            deny: [read(bench.at("a/b/key")), { ...write(bench.at("conf")), recursive: true }]
          })
          assert.match(yield* tried(bench, "cat a/b/key"), /Permission denied/)
          assert.match(yield* tried(bench, "mv a x"), /busy/)
          assert.match(yield* tried(bench, "mv a/b x"), /busy|not permitted/)
          assert.match(yield* tried(bench, "mv a/b/key y; ln a/b/key z; cat y z"), /busy|not permitted/)
          assert.match(yield* tried(bench, "rm -rf a; cat a/b/key"), /busy/)
          assert.strictEqual(NFS.readFileSync(bench.at("a/b/key"), "utf8"), "secret\n")
          assert.match(yield* tried(bench, "cat conf; echo new > conf"), /^old\n.*Read-only/)
          assert.match(yield* tried(bench, "rm conf"), /busy/)
          assert.match(yield* tried(bench, "mv conf other"), /busy/)
          assert.match(yield* tried(bench, "ln conf other && echo new > other"), /cross-device/)
          // The rest of the directory is as it was.
          assert.strictEqual(yield* tried(bench, "echo > a/b/new; ls a/b"), "key\nnew\n(fine)")
        })
      )

      it.effect("what is denied and not there yet cannot be made: its directory became read-only", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny, files: { "sub/x": "", f: "f\n" }, deny: ["new/deep"] })
          assert.match(yield* tried(bench, "mkdir new"), /Read-only/)
          assert.match(yield* tried(bench, "mkdir sub/new; mv sub/new new"), /Read-only|busy|cross-device/)
          assert.strictEqual(yield* tried(bench, "echo more >> f; echo > sub/y; cat f"), "f\nmore\n(fine)")
        })
      )

      it.effect("a flat rule shows its files and nothing below", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          const flat = Path.resolve(bench.work, "../flat")
          fill(flat, { one: "1\n", "deep/two": "2" })
          const narrow = yield* workbench({ policy: deny, allow: [read(flat, false)] })
          assert.strictEqual((yield* bash(narrow, `ls ${flat}; cat ${flat}/one`)).content, "one\n1\n")
          assert.match(yield* tried(narrow, `echo > ${flat}/three`), /Read-only/)
        })
      )

      it.effect("a narrower scope is felt by the next command", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny, files: { "a/x": "x\n" } })
          assert.strictEqual((yield* bash(bench, "cat a/x")).content, "x\n")
          yield* bench.narrow({ deny: [read(bench.at("a"))] })
          assert.match(yield* tried(bench, "cat a/x; ls a"), /No such file[^]*Permission denied/)
        })
      )

      it.effect("what lies in the scope is as it is outside: links, modes, .git, the directory itself", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny, files: { "real/x": "x\n" } })
          NFS.symlinkSync("real", bench.at("link"))
          assert.strictEqual(
            yield* tried(bench, "cat link/x; cd link && pwd -P; mv ../real ../moved; cat x"),
            `x\n${bench.at("real")}\nx\n(fine)`
          )
          assert.strictEqual(yield* tried(bench, "git init -q . && git status --porcelain | wc -l"), "2\n(fine)")
          assert.isTrue(NFS.existsSync(bench.at("moved/x")))
        })
      )

      it.effect("a scope that was written through a link is there under both names", () =>
        Effect.gen(function* () {
          const root = yield* tempDir
          fill(root, { "far/x": "x\n" })
          NFS.symlinkSync(Path.join(root, "far"), Path.join(root, "near"))
          const bench = yield* workbench({ policy: deny, allow: [read(Path.join(root, "near"))] })
          assert.strictEqual((yield* bash(bench, `cat ${root}/near/x ${root}/far/x`)).content, "x\nx\n")
        })
      )

      it.effect("/tmp is the pod's own: nobody else's is seen, and it lasts from one command to the next", () =>
        Effect.gen(function* () {
          const inTmp = yield* workbench({ policy: deny })
          assert.notInclude((yield* bash(inTmp, "ls /tmp")).content, "effect-pod-test-home")
          assert.strictEqual(yield* tried(inTmp, "echo x > /tmp/x && cat /tmp/x && echo $TMPDIR"), "x\n\n(fine)")
          // A scope outside of /tmp: the usual case.
          const bench = yield* workbench({
            policy: deny,
            cwd: "/usr",
            allow: [read("/usr")],
            env: { PATH: process.env.PATH, HOME: "/home/me", TMPDIR: "/var/x" }
          })
          assert.strictEqual(yield* tried(bench, "echo kept > /tmp/x; echo $TMPDIR"), "\n(fine)")
          assert.strictEqual(yield* tried(bench, "cat /tmp/x /var/tmp/x; ls -d ~"), "kept\nkept\n/home/me\n(fine)")
          assert.isFalse(NFS.existsSync("/tmp/x"))
        })
      )

      it.effect("long output that was kept can be searched, and nothing else that lies there", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          const { outputPath = "" } = yield* bash(bench, "seq 5000")
          assert.strictEqual((yield* bash(bench, `grep -c . ${outputPath}`)).content, "5000\n")
          assert.match(yield* tried(bench, `echo > ${outputPath}`), /Read-only/)
        })
      )
    })

    describe("of what belongs to pods", () => {
      const secrets = () =>
        fill(home, {
          "data/sessions/s/j.jsonl": "secret\n",
          "config/providers.toml": "secret\n",
          "run/other/status.json": "secret\n"
        })

      it.effect("data, settings and runtime directories are hidden, also where the scope reaches them", () =>
        Effect.gen(function* () {
          secrets()
          const bench = yield* workbench({ policy: deny, allow: [write(home)] })
          assert.match(yield* tried(bench, `ls ${home}/data`), /Permission denied/)
          const all = yield* tried(
            bench,
            `cd ${home}; cat data/sessions/s/j.jsonl config/providers.toml run/other/status.json; grep -r secret .`
          )
          assert.notInclude(all, "secret\n")
          assert.match(yield* tried(bench, `mv ${home}/data ${home}/x`), /busy/)
          assert.match(yield* tried(bench, `echo > ${home}/config/models.toml`), /Read-only|denied/)
          assert.match(yield* tried(bench, `rm -rf ${home}; echo over`), /over/)
          assert.isTrue(NFS.existsSync(Path.join(home, "data/sessions/s/j.jsonl")))
        })
      )

      it.effect("what is not there yet is made empty, so that no command makes it", () =>
        Effect.gen(function* () {
          NFS.rmSync(Path.join(home, "config"), { recursive: true, force: true })
          const bench = yield* workbench({ policy: deny, allow: [write(home)] })
          assert.match(
            yield* tried(bench, `mkdir -p ${home}/config; echo x > ${home}/config/providers.toml`),
            /Read-only|denied/
          )
          assert.deepStrictEqual(NFS.readdirSync(Path.join(home, "config")), [])
          assert.strictEqual(yield* tried(bench, `echo > ${home}/fine`), "(fine)")
        })
      )

      it.effect("the socket of another pod cannot be reached: it is not mounted", () =>
        Effect.gen(function* () {
          NFS.mkdirSync(Path.join(home, "run/other"), { recursive: true })
          const path = Path.join(home, "run/other/sock")
          const server = Net.createServer((socket) => socket.end("hello"))
          yield* Effect.acquireRelease(
            Effect.callback<void>((resume) => void server.listen(path, () => resume(Effect.void))),
            () => Effect.sync(() => server.close())
          )
          const bench = yield* workbench({ policy: allow, allow: [write(home), read(Path.dirname(process.execPath))] })
          const connect = (to: string) =>
            `${process.execPath} -e 'require("net").connect("${to}").on("error", (e) => console.log(e.code)).pipe(process.stdout)'`
          assert.include((yield* bash(bench, connect(path))).content, "ENOENT")
          // The same command reaches one that it may.
          const mine = bench.at("sock")
          const other = Net.createServer((socket) => socket.end("hello"))
          yield* Effect.acquireRelease(
            Effect.callback<void>((resume) => void other.listen(mine, () => resume(Effect.void))),
            () => Effect.sync(() => other.close())
          )
          assert.include((yield* bash(bench, connect(mine))).content, "hello")
        })
      )
    })

    describe("of the network", () => {
      it.effect("denied: no metadata address, no server of this machine, no names", () =>
        Effect.gen(function* () {
          const server = Net.createServer((socket) => socket.end("hello"))
          yield* Effect.acquireRelease(
            Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
            () => Effect.sync(() => server.close())
          )
          const { port } = server.address() as Net.AddressInfo
          const closed = yield* workbench({ policy: deny })
          assert.match(yield* tried(closed, "exec 3<>/dev/tcp/169.254.169.254/80"), /Network is unreachable/)
          assert.match(yield* tried(closed, `exec 3<>/dev/tcp/127.0.0.1/${port}`), /Connection refused/)
          assert.strictEqual(
            (yield* bash(closed, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '")).content,
            "lo\n"
          )
          const open = yield* workbench({ policy: allow })
          assert.strictEqual((yield* bash(open, `cat < /dev/tcp/127.0.0.1/${port}`)).content, "hello")
        })
      )
    })

    describe("of processes", () => {
      it.effect("others are not seen, not signalled, and their environment is not read: a pid namespace", () =>
        Effect.gen(function* () {
          const key = `canary-${process.pid}`
          const other = spawn("sleep", ["300"], { env: { ANTHROPIC_API_KEY: key }, stdio: "ignore" })
          yield* Effect.addFinalizer(() => Effect.sync(() => other.kill("SIGKILL")))
          const bench = yield* workbench({
            policy: deny,
            env: { PATH: process.env.PATH, ANTHROPIC_API_KEY: key, MY_TOKEN: key }
          })
          assert.include(yield* tried(bench, `kill -9 ${other.pid} ${process.pid}`), "No such process")
          assert.isTrue(isRunning(other.pid as number))
          assert.notInclude(yield* tried(bench, "cat /proc/[0-9]*/environ | tr '\\0' '\\n'; env; set"), key)
          assert.match(yield* tried(bench, "cat /proc/[0-9]*/comm"), /^bwrap\n(bash\n)*cat\n\(fine\)$/)
        })
      )

      it.effect("who leaves session and group, or forks twice, ends with the call: with the namespace", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          const held = canary(bench.work)
          const escape =
            "setsid sleep 300 & (setsid sh -c 'sleep 300 & sleep 300' &) ; nohup sleep 300 >/dev/null 2>&1 &"
          const output = yield* tried(bench, `exec 9>canary; ${escape} disown -a; echo done`)
          assert.strictEqual(output, "done\n(fine)")
          yield* Effect.promise(() => held.ended)
        })
      )

      it.effect("commands get TERM and a second, then everything in the namespace is killed", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          const polite = yield* Effect.forkChild(
            bash(bench, "trap 'echo bye; exit 3' TERM; echo > up; while :; do sleep 0.01; done", 5),
            { startImmediately: true }
          )
          yield* written(bench, "up")
          yield* TestClock.adjust("5 seconds")
          assert.strictEqual((yield* Fiber.join(polite)).content?.endsWith("bye\n"), true)
          const held = canary(bench.work)
          const deaf = "trap '' TERM; (trap '' TERM; setsid sleep 300) & sleep 300 & echo > up2; wait; wait; sleep 300"
          const stubborn = yield* Effect.forkChild(bash(bench, `exec 9>canary; ${deaf}`, 5), { startImmediately: true })
          yield* written(bench, "up2")
          yield* TestClock.adjust("5 seconds")
          yield* TestClock.adjust("1 second")
          assert.include((yield* Fiber.join(stubborn)).summary, "timed out")
          yield* Effect.promise(() => held.ended)
        })
      )

      it.effect("a fork bomb dies at once, with all that it has forked", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          const held = canary(bench.work)
          // Each process that dies is replaced by its brothers; the depth keeps the machine alive if the fence does not.
          const bomb =
            "b() { trap '' TERM; [ $1 -gt 5 ] || { b $(($1+1)) & b $(($1+1)) & }; [ $1 -gt 0 ] || echo > up; sleep 300; }"
          const running = yield* Effect.forkChild(bash(bench, `exec 9>canary; ${bomb}; b 0`, 5), {
            startImmediately: true
          })
          yield* written(bench, "up")
          yield* TestClock.adjust("5 seconds")
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(running)
          yield* Effect.promise(() => held.ended)
        })
      )

      it.effect("an interrupted call leaves nothing", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          const held = canary(bench.work)
          const running = yield* Effect.forkChild(
            bash(bench, "exec 9>canary; setsid sleep 300 & echo > up; sleep 300"),
            {
              startImmediately: true
            }
          )
          yield* written(bench, "up")
          yield* Fiber.interrupt(running)
          yield* Effect.promise(() => held.ended)
        })
      )

      it.effect("there is no terminal to type into", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          assert.match(yield* tried(bench, ": > /dev/tty"), /No such device/)
          assert.strictEqual(yield* tried(bench, "[ -t 0 ]"), "(exit code 1)")
        })
      )

      it.effect("a command is as it is with `bash -c`", () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          assert.strictEqual(yield* tried(bench, "echo out; echo err >&2; exit 3"), "out\nerr\n(exit code 3)")
          assert.strictEqual(yield* tried(bench, ""), "(fine)")
          assert.strictEqual(yield* tried(bench, "# nothing"), "(fine)")
          assert.strictEqual(yield* tried(bench, "cat <<'E'\n$x\nE"), "$x\n(fine)")
          assert.include(yield* tried(bench, "echo 'x"), "(exit code 2)")
          assert.include(yield* tried(bench, "-x"), "(exit code 127)")
          assert.strictEqual(yield* tried(bench, "cat"), "(fine)")
          assert.strictEqual(yield* tried(bench, "trap '' TERM; kill 0; echo on"), "on\n(fine)")
          assert.strictEqual(yield* tried(bench, "kill -9 $$"), "(exit code 137)")
          assert.strictEqual(yield* tried(bench, "cat <(echo sub)"), "sub\n(fine)")
          assert.include((yield* Effect.flip(bash(bench, `: ${"x".repeat(200_000)}`))).message, "too long")
          NFS.rmSync(bench.work, { recursive: true })
          assert.include((yield* Effect.flip(bash(bench, "true"))).message, `${bench.work} does not exist`)
          assert.isTrue(eventually(() => true))
        })
      )
    })
  })
})
