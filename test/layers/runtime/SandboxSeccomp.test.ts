/**
 * The filter of system calls, asked about every call that there is. What the kernel makes of it is in
 * `test/tools/BashCalls.test.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import { program } from "../../../layers/runtime/SandboxSeccomp.ts"
import { judge, verify } from "../../support/bpf.ts"

/** Numbers from the kernel's tables: refused with EPERM, with ENOSYS, and judged by their arguments. */
const machines = {
  x64: {
    audit: 0xc000_003e,
    refused: [
      103, 154, 155, 161, 163, 165, 166, 167, 168, 169, 172, 173, 175, 176, 179, 246, 248, 249, 250, 298, 304, 308, 313,
      320, 321, 323, 443
    ],
    absent: [134, 425, 426, 427, 428, 429, 430, 431, 432, 433, 435, 442, 467],
    judged: { clone: 56, unshare: 272, ioctl: 16, personality: 135, socket: 41, socketpair: 53 }
  },
  arm64: {
    audit: 0xc000_00b7,
    refused: [
      39, 40, 41, 51, 60, 89, 104, 105, 106, 116, 142, 217, 218, 219, 224, 225, 241, 265, 268, 273, 280, 282, 294, 443
    ],
    absent: [425, 426, 427, 428, 429, 430, 431, 432, 433, 435, 442, 467],
    judged: { clone: 220, unshare: 97, ioctl: 29, personality: 92, socket: 198, socketpair: 199 }
  }
} as const

const filterOf = (name: string): Uint8Array => {
  const bytes = program(name)
  assert.isDefined(bytes)
  return bytes as Uint8Array
}

/** High halves that the kernel does not read for these arguments. */
const garbage = [0n, 1n << 32n, 0xffff_ffffn << 32n]

describe.each(Object.entries(machines))("on %s", (name, { absent, audit, judged, refused }) => {
  const bytes = filterOf(name)
  const ask = (number: number, ...args: ReadonlyArray<bigint>) => judge(bytes, { architecture: audit, number, args })

  it("is a program that the kernel takes", () => verify(bytes))

  it("gives every number that there is the answer of the tables, and refuses what is newer", () => {
    const byArguments = new Set<number>(Object.values(judged))
    for (let number = 0; number < 2048; number++) {
      if (byArguments.has(number)) continue
      const expected = refused.some((one) => one === number)
        ? "EPERM"
        : absent.some((one) => one === number) || number > 469
          ? "ENOSYS"
          : "allowed"
      assert.strictEqual(ask(number), expected, `call ${number}`)
    }
  })

  it("knows no call of x32, nor a negative one", () => {
    for (let number = 0; number < 600; number++) {
      assert.strictEqual(ask(0x4000_0000 + number, 1n), "ENOSYS", `call ${number}`)
    }
    assert.strictEqual(ask(0xffff_ffff), "ENOSYS")
    assert.strictEqual(ask(0x8000_0000), "ENOSYS")
  })

  it("ends a process that calls by the numbers of another architecture", () => {
    for (const architecture of [0x4000_0003, 0x4000_0028, audit === 0xc000_003e ? 0xc000_00b7 : 0xc000_003e, 0]) {
      for (let number = 0; number < 600; number++) {
        assert.strictEqual(judge(bytes, { architecture, number }), "killed")
      }
    }
  })

  it("opens sockets of four families, and of netlink for routes only", () => {
    const open = new Set([1, 2, 10])
    for (let family = 0; family < 256; family++) {
      for (const high of garbage) {
        const asked = BigInt(family) | high
        const routes = open.has(family) || family === 16 ? "allowed" : "EAFNOSUPPORT"
        assert.strictEqual(ask(judged.socket, asked, 2n, 0n), routes, `family ${family}`)
        const others = open.has(family) ? "allowed" : "EAFNOSUPPORT"
        for (let protocol = 1; protocol < 32; protocol++) {
          assert.strictEqual(ask(judged.socket, asked, 3n, BigInt(protocol)), others, `family ${family}, ${protocol}`)
        }
        assert.strictEqual(ask(judged.socketpair, asked, 1n), family === 1 ? "allowed" : "EAFNOSUPPORT")
      }
    }
    assert.strictEqual(ask(judged.socket, 0xffff_ffffn, 1n), "EAFNOSUPPORT")
  })

  it("makes processes and threads, and no namespace", () => {
    const fork = 0x0120_0011n
    const thread = 0x003d_0f00n
    for (const flags of [0n, 17n, fork, thread, 0x4111n, 0x80n | fork]) {
      assert.strictEqual(ask(judged.clone, flags), "allowed", `clone ${flags}`)
    }
    for (const flags of [0n, 0x400n, 0x200n, 0x4_0000n]) assert.strictEqual(ask(judged.unshare, flags), "allowed")
    for (const bit of [17, 25, 26, 27, 28, 29, 30]) {
      const namespace = 1n << BigInt(bit)
      for (const high of garbage) {
        assert.strictEqual(ask(judged.clone, namespace | fork | high), "EPERM", `clone, bit ${bit}`)
        assert.strictEqual(ask(judged.unshare, namespace | 0x400n | high), "EPERM", `unshare, bit ${bit}`)
      }
    }
    assert.strictEqual(ask(judged.unshare, 0x80n), "EPERM")
  })

  it("types nothing into a terminal, and changes no more of a process than debuggers need", () => {
    for (const high of garbage) {
      assert.strictEqual(ask(judged.ioctl, 0n, 0x5412n | high), "EPERM")
      assert.strictEqual(ask(judged.ioctl, 0n, 0x541cn | high), "EPERM")
    }
    for (let request = 0x5400n; request < 0x5500n; request++) {
      if (request === 0x5412n || request === 0x541cn) continue
      assert.strictEqual(ask(judged.ioctl, 0n, request), "allowed")
    }
    for (const persona of [0n, 8n, 0x20000n, 0x20008n, 0x40000n, 0xffff_ffffn]) {
      assert.strictEqual(ask(judged.personality, persona), "allowed")
    }
    for (let bit = 0; bit < 32; bit++) {
      if ([3, 17, 18].includes(bit)) continue
      assert.strictEqual(ask(judged.personality, 1n << BigInt(bit)), "EPERM", `bit ${bit}`)
    }
  })
})

it("does not exist for other machines", () => {
  for (const name of ["arm", "ia32", "riscv64", "s390x", "ppc64", "constructor"]) assert.isUndefined(program(name))
})
