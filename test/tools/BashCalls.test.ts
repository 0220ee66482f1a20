/**
 * What fenced commands ask of the kernel itself. Each case says what was tried and what stopped it: the filter of system
 * calls, by the kernel that runs here. Every call that there is goes through it in `SandboxSeccomp.test.ts`.
 */
import { afterAll, assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import * as OS from "node:os"
import * as Path from "node:path"
import { Sandbox } from "../../src/runtime/Sandbox.ts"
import { canFence, makeOlder } from "../support/bubblewrap.ts"
import { bash, deny, fencedBy, tried } from "./fenceSupport.ts"
import { workbench, type Workbench } from "./support.ts"

/** The numbers of calls, as the kernel has them for this machine. */
const tables = {
  x64: {
    socket: 41,
    socketpair: 53,
    clone: 56,
    ioctl: 16,
    personality: 135,
    add_key: 248,
    request_key: 249,
    keyctl: 250,
    unshare: 272,
    perf_event_open: 298,
    setns: 308,
    bpf: 321,
    userfaultfd: 323,
    mount: 165,
    pivot_root: 155,
    ptrace: 101
  },
  arm64: {
    socket: 198,
    socketpair: 199,
    clone: 220,
    ioctl: 29,
    personality: 92,
    add_key: 217,
    request_key: 218,
    keyctl: 219,
    unshare: 97,
    perf_event_open: 241,
    setns: 268,
    bpf: 280,
    userfaultfd: 282,
    mount: 40,
    pivot_root: 41,
    ptrace: 117
  }
} as const
const everywhere = { io_uring_setup: 425, open_tree: 428, fsopen: 430, clone3: 435, mount_setattr: 442 } as const

const numbers =
  process.arch === "x64" || process.arch === "arm64" ? { ...tables[process.arch], ...everywhere } : undefined

/** Makes the call and says what came of it: perl is there where a shell is. */
const calling = (
  bench: Workbench,
  call: keyof typeof tables.x64 | keyof typeof everywhere,
  ...args: ReadonlyArray<string | number>
) =>
  Effect.map(
    bash(
      bench,
      `perl -MErrno -e 'my ($n, @a) = (${[numbers?.[call], ...args].join(",")}); my $r = syscall($n, @a); ` +
        `print $r >= 0 ? "fine" : (grep { $!{$_} } qw(EPERM ENOSYS EAFNOSUPPORT))[0] // 0 + $!'`
    ),
    ({ content }) => content
  )

describe.skipIf(!canFence || numbers === undefined)("a filter of system calls", () => {
  layer(fencedBy({}))((it) => {
    it.effect(
      "sockets to the host of a virtual machine, to the kernel's ciphers and to the rest of the families: none",
      () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: deny })
          const families = {
            unix: 1,
            inet: 2,
            inet6: 10,
            alg: 38,
            vsock: 40,
            packet: 17,
            bluetooth: 31,
            qipcrtr: 42,
            xdp: 44
          }
          for (const [name, family] of Object.entries(families)) {
            const expected = family <= 10 ? "fine" : "EAFNOSUPPORT"
            assert.strictEqual(yield* calling(bench, "socket", family, family <= 10 ? 1 : 2, 0), expected, name)
          }
          assert.strictEqual(yield* calling(bench, "socket", 16, 3, 0), "fine", "routes")
          for (const protocol of [4, 9, 12, 15, 16]) {
            assert.strictEqual(yield* calling(bench, "socket", 16, 3, protocol), "EAFNOSUPPORT", `netlink ${protocol}`)
          }
        })
    )

    it.effect("the keyrings of the machine, which know no namespace: not asked, not added to", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        assert.strictEqual(yield* calling(bench, "keyctl", 0, -4, 0), "EPERM")
        assert.strictEqual(yield* calling(bench, "keyctl", 6, -4), "EPERM")
        assert.strictEqual(yield* calling(bench, "add_key", '"user"', '"x"', '"y"', 1, -4), "EPERM")
        assert.strictEqual(yield* calling(bench, "request_key", '"user"', '"x"', 0, 0), "EPERM")
      })
    )

    it.effect("io_uring, which opens sockets without the call for it: does not exist", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        assert.strictEqual(yield* calling(bench, "io_uring_setup", 1, '("\\0" x 120)'), "ENOSYS")
      })
    )

    it.effect("namespaces, by unshare, clone, clone3 and setns: none", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        for (const flag of ["0x10000000", "0x10020000", "0x40000000", "0x20000000"]) {
          assert.strictEqual(yield* calling(bench, "unshare", flag), "EPERM")
          assert.strictEqual(yield* calling(bench, "clone", `${flag} | 17`, 0, 0, 0, 0), "EPERM")
        }
        assert.strictEqual(yield* calling(bench, "clone3", '("\\0" x 88)', 88), "ENOSYS")
        assert.strictEqual(yield* calling(bench, "setns", 99, 0), "EPERM")
        assert.match(yield* tried(bench, "unshare -Ur id"), /not permitted/)
        assert.match(yield* tried(bench, "bwrap --ro-bind / / true"), /bwrap: Creating new namespace failed[^]*\(exit/)
      })
    )

    it.effect("mounts, by the old calls and the new ones: none", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        assert.strictEqual(yield* calling(bench, "mount", '"none"', '"/tmp"', '"tmpfs"', 0, 0), "EPERM")
        assert.strictEqual(yield* calling(bench, "pivot_root", '"/tmp"', '"/tmp"'), "EPERM")
        assert.strictEqual(yield* calling(bench, "open_tree", -100, '"/"', 0), "ENOSYS")
        assert.strictEqual(yield* calling(bench, "fsopen", '"tmpfs"', 0), "ENOSYS")
        assert.strictEqual(yield* calling(bench, "mount_setattr", -100, '"/"', 0, 0, 0), "ENOSYS")
      })
    )

    it.effect("faults handled by a program, programs in the kernel, its counters, other personalities: none", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        assert.strictEqual(yield* calling(bench, "userfaultfd", 1), "EPERM")
        assert.strictEqual(yield* calling(bench, "bpf", 0, '("\\0" x 72)', 72), "EPERM")
        assert.strictEqual(yield* calling(bench, "perf_event_open", 0, 0, -1, -1, 0), "EPERM")
        assert.strictEqual(yield* calling(bench, "personality", "0x0400000"), "EPERM")
        assert.strictEqual(yield* calling(bench, "personality", "0xffffffff"), "fine")
      })
    )

    it.effect("typing into a terminal that the command has opened itself: refused", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        assert.strictEqual(yield* calling(bench, "ioctl", 0, "0x5412", '"x"'), "EPERM")
        assert.strictEqual(yield* calling(bench, "ioctl", 0, "0x541c", '"x"'), "EPERM")
      })
    )

    it.effect("the first process in there, and tracing it, is no way around: it has the same filter", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        assert.strictEqual(
          (yield* bash(bench, "grep -h ^Seccomp: /proc/1/status /proc/self/status")).content,
          "Seccomp:\t2\nSeccomp:\t2\n"
        )
      })
    )

    it.effect("what programs need is there: threads, processes, pipes between them, debuggers, addresses", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({
          policy: deny,
          allow: [{ target: Path.dirname(process.execPath), permission: "read", recursive: true }]
        })
        const threads =
          'const { Worker } = require("worker_threads"); new Worker("require(\\"os\\").networkInterfaces()", { eval: true })' +
          '.on("exit", (code) => console.log(code, require("child_process").execSync("echo child").toString()))'
        assert.strictEqual(yield* tried(bench, `${process.execPath} -e '${threads}'`), "0 child\n\n(fine)")
        assert.strictEqual(yield* tried(bench, "seq 3 | sort -r | head -1; cat <(echo x)"), "3\nx\n(fine)")
        assert.strictEqual(yield* calling(bench, "socketpair", 1, 1, 0, '("\\0" x 8)'), "fine")
        assert.strictEqual(yield* calling(bench, "ptrace", 0, 0, 0, 0), "fine")
      })
    )
  })
})

describe.skipIf(!canFence)("where a fence can do less", () => {
  const reportOf = Effect.gen(function* () {
    const rules = { allow: [], deny: [] }
    const fence = yield* (yield* Sandbox).open(deny)
    return yield* fence.report({ rules, written: rules, own: [] })
  })

  layer(fencedBy({}))((it) => {
    it.effect("everywhere else nothing is said", () =>
      Effect.gen(function* () {
        assert.isUndefined((yield* reportOf).weaker)
      })
    )
  })

  layer(fencedBy({ architecture: "riscv64" }))((it) => {
    it.effect("another machine has no filter: the report says so, and user namespaces are closed by bubblewrap", () =>
      Effect.gen(function* () {
        const { weaker = [] } = yield* reportOf
        assert.match(weaker.join("\n"), /^system calls are not filtered: .*\(there is no filter for riscv64\)$/)
        const bench = yield* workbench({ policy: deny })
        assert.strictEqual((yield* bash(bench, "grep -h ^Seccomp: /proc/self/status")).content, "Seccomp:\t0\n")
        assert.match(yield* tried(bench, "unshare -Ur true"), /unshare failed: [^]*\(exit code 1\)/)
      })
    )
  })

  const older = NFS.mkdtempSync(Path.join(OS.tmpdir(), "effect-pod-test-bwrap-"))
  afterAll(() => NFS.rmSync(older, { recursive: true }))
  makeOlder(older)

  layer(fencedBy({ searchPath: older }))((it) => {
    it.effect("an older bubblewrap fences all the same, and the report says what it does not do and why", () =>
      Effect.gen(function* () {
        const { enforced, weaker = [] } = yield* reportOf
        assert.isTrue(enforced)
        assert.deepStrictEqual(
          weaker.map((line) => line.replace(/[:,].*\(/, " (")),
          [
            "system calls are not filtered (bwrap: Unknown option --seccomp)",
            "commands can make user namespaces of their own (bwrap: Unknown option --disable-userns)",
            "mounts are made by name (bwrap: Unknown option --ro-bind-fd)"
          ]
        )
        const bench = yield* workbench({ policy: deny, files: { "keys/k": "secret" }, deny: ["keys"] })
        assert.match(yield* tried(bench, "cat ../outside/secret.txt"), /No such file/)
        // A user namespace of one's own gives power over new mounts, and none over those that came with the fence.
        const inside = "umount keys; umount -l keys; cat keys/k ../outside/secret.txt"
        assert.notInclude(yield* tried(bench, `unshare -rm sh -c '${inside}' 2>&1`), "secret\n")
      })
    )
  })
})
