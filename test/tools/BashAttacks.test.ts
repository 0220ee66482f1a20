/**
 * More that a fenced command might try: what its program left open, the sockets of services, the kernel's own ways out.
 * Each case says what was tried and what stopped it.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import * as Path from "node:path"
import { Launcher } from "../../src/runtime/Launcher.ts"
import { Sandbox } from "../../src/runtime/Sandbox.ts"
import { textOf } from "../layers/runtime/LauncherSupport.ts"
import { read, write } from "../scope/support.ts"
import { swapper } from "../scope/swapping.ts"
import { canFence } from "../support/bubblewrap.ts"
import { allow, bash, deny, fencedBy, listening, tried } from "./fenceSupport.ts"
import { workbench } from "./support.ts"

/** Perl is there where a shell is. */
const connecting = (path: string) =>
  "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) or die; " +
  `connect(S, pack_sockaddr_un("${path}")) or die "no: $!"; print <S>' 2>&1`

describe.skipIf(!canFence)("attacks on the fence", () => {
  layer(fencedBy({}))((it) => {
    it.effect(
      "a directory that becomes a link between plan and mount: mounted is what was opened and asked where it is",
      () =>
        Effect.gen(function* () {
          const files = { "sub/b.txt": "beta\n", "sub/keys/k": "key\n", "../outside/b.txt": "secret\n" }
          const bench = yield* workbench({ policy: deny, files, deny: ["sub/keys"] })
          const outside = Path.resolve(bench.work, "../outside")
          const swaps = yield* swapper(bench.work, outside)
          const before = swaps()
          for (let round = 0; round < 60; round++) {
            assert.notMatch(yield* tried(bench, "cat sub/secret.txt"), /^secret$/m)
          }
          assert.isAbove(swaps(), before)
          assert.deepStrictEqual(NFS.readdirSync(outside), ["b.txt", "secret.txt"])
        }),
      120_000
    )

    it.effect("a directory that the program was started with open: a shell closes it before the command", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        const fence = yield* (yield* Sandbox).open(deny)
        const rules = { allow: [write(bench.work)], deny: [] }
        const spec = yield* fence.wrap(
          {
            command: "bash",
            args: ["-c", "ls -l /proc/self/fd; cat /proc/[0-9]*/fd/*/secret.txt"],
            cwd: bench.work,
            env: { PATH: process.env["PATH"] ?? "" }
          },
          { rules, written: rules, own: [] }
        )
        const outside = NFS.openSync(Path.resolve(bench.work, "../outside"), "r")
        yield* Effect.addFinalizer(() => Effect.sync(() => NFS.closeSync(outside)))
        const opening = Effect.map(spec.opening ?? Effect.succeed({ args: [], descriptors: [] }), (opened) => ({
          ...opened,
          descriptors: [...opened.descriptors, outside]
        }))
        const output = yield* textOf(yield* (yield* Launcher).start({ ...spec, opening }))
        assert.notInclude(output, "secret\n")
        assert.notInclude(output, "outside")
      })
    )

    it.effect(
      "a `bash` in the scope that PATH finds first, a file that BASH_ENV names: neither prepares the ground",
      () =>
        Effect.gen(function* () {
          const bench = yield* workbench({
            policy: deny,
            files: { "bin/bash": "#!/bin/sh\necho mine\n", env: "echo mine\n" }
          })
          NFS.chmodSync(bench.at("bin/bash"), 0o755)
          const fence = yield* (yield* Sandbox).open(deny)
          const rules = { allow: [write(bench.work)], deny: [] }
          const spec = yield* fence.wrap(
            {
              command: "/bin/sh",
              args: ["-c", "echo fine"],
              cwd: bench.work,
              env: { PATH: bench.at("bin"), BASH_ENV: bench.at("env") }
            },
            { rules, written: rules, own: [] }
          )
          assert.strictEqual(yield* textOf(yield* (yield* Launcher).start(spec)), "fine\n")
        })
    )

    it.effect("open files of every process in there, its root and its directory: none lies outside", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        const { content = "" } = yield* bash(bench, "readlink /proc/[0-9]*/fd/* | sort -u")
        for (const line of content.trim().split("\n")) {
          assert.match(
            line,
            /^(\/dev\/null|pipe:\[\d+\]|anon_inode:\[eventfd\]|\/.*\/effect-pod-pipes-\w+\/\d+|\/proc\/\d+\/fd)$/
          )
        }
        const root = "for p in 1 self; do ls /proc/$p/root /proc/$p/root/.. /proc/$p/cwd/..; done 2>&1"
        const seen = yield* tried(bench, root)
        assert.notMatch(seen, /^(srv|oldroot|newroot|sys|boot|outside)$/m)
      })
    )

    it.effect("the sockets of services, with a scope that reads the whole machine: /run is not mounted", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny, allow: [read("/")] })
        assert.match(
          yield* tried(bench, "ls /run/ /var/run/ 2>&1"),
          /^ls: .*\/run.*denied\nls: .*\/run.*denied\n\(exit/
        )
        assert.match(
          yield* tried(bench, connecting("/run/dbus/system_bus_socket")),
          /no: (No such file|Permission denied)/
        )
        const fence = yield* (yield* Sandbox).open(deny)
        const rules = { allow: [read("/")], deny: [] }
        assert.match(
          String((yield* fence.report({ rules, written: rules, own: [] })).narrower),
          /\/run: commands see nothing/
        )
        const named = { allow: [read("/"), read("/run/lock")], deny: [] }
        assert.isUndefined((yield* fence.report({ rules: named, written: named, own: [] })).narrower)
      })
    )

    it.effect(
      "abstract sockets of the machine: out of reach without its network, and in reach with it, as is said",
      () =>
        Effect.gen(function* () {
          const name = `effect-pod-test-${process.pid}`
          yield* listening(`\0${name}`)
          const node = { allow: [read(Path.dirname(process.execPath))] }
          const connect =
            `${process.execPath} -e 'require("net").connect("\\0${name}").on("error", (e) => console.log(e.code))` +
            ".pipe(process.stdout)'"
          const closed = yield* workbench({ policy: deny, ...node })
          assert.include(yield* tried(closed, connect), "ECONNREFUSED")
          const open = yield* workbench({ policy: allow, ...node })
          assert.include(yield* tried(open, connect), "hello")
          const fence = yield* (yield* Sandbox).open(allow)
          const rules = { allow: [], deny: [] }
          assert.include((yield* fence.report({ rules, written: rules, own: [] })).reason, "abstract sockets")
        })
    )

    it.effect(
      "the system's own files (preloads, profiles, passwords), control groups and kernel settings: not there, or not writable",
      () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          for (const path of ["/etc/ld.so.preload", "/etc/profile.d/x.sh", "/etc/passwd", "/etc/environment"]) {
            assert.match(yield* tried(bench, `echo x >> ${path}`), /Read-only|No such file|Permission denied/, path)
          }
          assert.match(yield* tried(bench, "ls /sys/fs/cgroup /sys/kernel"), /(No such file[^]*){2}/)
          assert.match(yield* tried(bench, "echo '|/bin/sh' > /proc/sys/kernel/core_pattern"), /Read-only|denied/)
          assert.match(yield* tried(bench, "echo 1 > /proc/sysrq-trigger"), /Read-only|denied|No such/)
        })
    )

    it.effect("shared memory, queues and semaphores of the machine: namespaces of the command's own", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: allow })
        const name = `effect-pod-test-${process.pid}`
        assert.strictEqual(yield* tried(bench, `echo x > /dev/shm/${name}; ls /dev/shm`), `${name}\n(fine)`)
        assert.isFalse(NFS.existsSync(`/dev/shm/${name}`))
        assert.strictEqual(yield* tried(bench, "tail -qn +2 /proc/sysvipc/*"), "(fine)")
        assert.strictEqual(
          yield* tried(bench, "hostname fenced 2>&1; hostname | grep -c fenced"),
          "hostname: you must be root to change the host name\n0\n(exit code 1)"
        )
      })
    )

    it.effect(
      "another command of the same pod: neither seen nor signalled nor traced, each has processes of its own",
      () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          yield* bench.call("Bash", { command: "exec -a brother sleep 300", run_in_background: true })
          const { content } = yield* bash(bench, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
          assert.notInclude(content, "brother")
        })
    )

    it.effect("set-uid programs made by the command itself: mounts take no notice of the bit", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        const made = "cp /bin/sh s; chmod 6755 s; ./s -p -c 'grep -h -e ^CapEff -e ^CapPrm /proc/self/status'"
        assert.strictEqual(yield* tried(bench, made), "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n(fine)")
      })
    )
  })
})
