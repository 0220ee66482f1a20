/**
 * The fence of Bash against commands that want out: of the scope, to other pods, to the network. Each case says what was
 * tried and what stopped it. Processes are in `BashFenceProcesses.test.ts`, system calls in `BashCalls.test.ts`.
 *
 * Without bubblewrap nothing here can be shown, and it counts as skipped; what holds without is in
 * `BashUnfenced.test.ts`.
 */
import { afterAll, assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import type * as Net from "node:net"
import * as Path from "node:path"
import { fill, read, tempDir, write } from "../scope/support.ts"
import { canFence } from "../support/bubblewrap.ts"
import { allow, bash, deny, fencedBy, listening, podHome, tried } from "./fenceSupport.ts"
import { workbench } from "./support.ts"

const home = podHome()
afterAll(() => NFS.rmSync(home, { recursive: true, force: true }))
const fenced = fencedBy({ hidden: ["config", "data", "run"].map((name) => Path.join(home, name)) })

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
          const probe = `/tmp/effect-pod-${process.pid}-probe`
          const bench = yield* workbench({
            policy: deny,
            cwd: "/usr",
            allow: [read("/usr")],
            env: { PATH: process.env.PATH, HOME: "/home/me", TMPDIR: "/var/x" }
          })
          assert.strictEqual(yield* tried(bench, `echo kept > ${probe}; echo $TMPDIR`), "\n(fine)")
          assert.strictEqual(yield* tried(bench, `cat ${probe} /var${probe}; ls -d ~`), "kept\nkept\n/home/me\n(fine)")
          assert.isFalse(NFS.existsSync(probe))
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
          yield* listening(path)
          const bench = yield* workbench({ policy: allow, allow: [write(home), read(Path.dirname(process.execPath))] })
          const connect = (to: string) =>
            `${process.execPath} -e 'require("net").connect("${to}").on("error", (e) => console.log(e.code)).pipe(process.stdout)'`
          assert.include((yield* bash(bench, connect(path))).content, "ENOENT")
          // The same command reaches one that it may.
          const mine = bench.at("sock")
          yield* listening(mine)
          assert.include((yield* bash(bench, connect(mine))).content, "hello")
        })
      )
    })

    describe("of the network", () => {
      it.effect("denied: no metadata address, no server of this machine, no names", () =>
        Effect.gen(function* () {
          const { port } = (yield* listening(0)).address() as Net.AddressInfo
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
  })
})
