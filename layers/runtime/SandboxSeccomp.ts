/**
 * The filter of system calls, as bytes of classic BPF, which is what the kernel takes and bubblewrap passes on.
 *
 * It lets through what a shell and its programs need, and refuses by name what leads around the fence or deep into the
 * kernel: other namespaces and mounts, the keyrings, io_uring (which opens sockets without the call for it), and every
 * family of sockets but four. A call that is newer than the filter does not exist, as on an older kernel: programs are
 * prepared for that. So it is for everything whose arguments lie in memory, where a filter cannot look (clone3).
 */

/** Those of `process.arch` that have a filter. */
export type Architecture = "x64" | "arm64"

interface Instruction {
  readonly code: number
  readonly k: number
  /** So many instructions are passed over if it holds, and if it does not. */
  readonly yes?: number
  readonly no?: number
}

/** What the filter sees of a call: its number, the architecture that it was made for, and its arguments, each in two halves. */
const offsets = { number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index }

const load = (k: number): Instruction => ({ code: 0x20, k })
const and = (k: number): Instruction => ({ code: 0x54, k })
const give = (k: number): Instruction => ({ code: 0x06, k })
const equals = (k: number, { no = 0, yes = 0 }): Instruction => ({ code: 0x15, k, yes, no })
const above = (k: number, { no = 0, yes = 0 }): Instruction => ({ code: 0x25, k, yes, no })

const errno = (number: number): Instruction => give(0x0005_0000 + number)
const allowed = give(0x7fff_0000)
const killed = give(0x8000_0000)

const notPermitted = errno(1)
const noSuchCall = errno(38)
const noSuchFamily = errno(97)

/** The last that was looked at when this was written: file_setattr, of Linux 6.17. The same on all architectures. */
const lastKnown = 469

/** As AUDIT_ARCH_… in the kernel. */
const architectures: { readonly [A in Architecture]: number } = { x64: 0xc000_003e, arm64: 0xc000_00b7 }

/** Calls from 424 on have the same number everywhere. */
const both = (number: number) => ({ x64: number, arm64: number })

type Numbers = { readonly [A in Architecture]: number | undefined }

/** These need no privilege that commands lack, or have been the way to one. */
const refused: Readonly<Record<string, Numbers>> = {
  acct: { x64: 163, arm64: 89 },
  add_key: { x64: 248, arm64: 217 },
  bpf: { x64: 321, arm64: 280 },
  chroot: { x64: 161, arm64: 51 },
  delete_module: { x64: 176, arm64: 106 },
  finit_module: { x64: 313, arm64: 273 },
  init_module: { x64: 175, arm64: 105 },
  ioperm: { x64: 173, arm64: undefined },
  iopl: { x64: 172, arm64: undefined },
  kexec_file_load: { x64: 320, arm64: 294 },
  kexec_load: { x64: 246, arm64: 104 },
  keyctl: { x64: 250, arm64: 219 },
  modify_ldt: { x64: 154, arm64: undefined },
  mount: { x64: 165, arm64: 40 },
  open_by_handle_at: { x64: 304, arm64: 265 },
  perf_event_open: { x64: 298, arm64: 241 },
  pivot_root: { x64: 155, arm64: 41 },
  quotactl: { x64: 179, arm64: 60 },
  quotactl_fd: both(443),
  reboot: { x64: 169, arm64: 142 },
  request_key: { x64: 249, arm64: 218 },
  setns: { x64: 308, arm64: 268 },
  swapoff: { x64: 168, arm64: 225 },
  swapon: { x64: 167, arm64: 224 },
  syslog: { x64: 103, arm64: 116 },
  umount2: { x64: 166, arm64: 39 },
  userfaultfd: { x64: 323, arm64: 282 }
}

/** Programs try these first and have another way: they are told that there is no such call. */
const absent: Readonly<Record<string, Numbers>> = {
  clone3: both(435),
  fsconfig: both(431),
  fsmount: both(432),
  fsopen: both(430),
  fspick: both(433),
  io_uring_enter: both(426),
  io_uring_register: both(427),
  io_uring_setup: both(425),
  mount_setattr: both(442),
  move_mount: both(429),
  open_tree: both(428),
  open_tree_attr: both(467),
  uselib: { x64: 134, arm64: undefined }
}

/** All kinds of namespaces, as flags of clone; unshare knows one more, whose bit is part of a signal's number in clone. */
const namespaces = 0x7e02_0000
const timeNamespace = 0x80

const unix = 1
const inet = 2
const inet6 = 10
const netlink = 16

/** Addresses and routes: what `getaddrinfo` and `ip` ask. */
const netlinkRoute = 0

/** Plain Linux, its 32-bit word, the old form of its version, without random addresses (debuggers), and asking. */
const personalities = [0, 0x8, 0x2_0000, 0x2_0008, 0x4_0000, 0xffff_ffff]

const pushInput = 0x5412
const consoleSelection = 0x541c

/** Allowed if none of the bits is set. */
const without = (argument: number, bits: number): ReadonlyArray<Instruction> => [
  load(offsets.argument(argument)),
  and(bits),
  equals(0, { no: 1 }),
  allowed,
  notPermitted
]

/** Allowed are these values alone, or all but these. The kernel, too, reads the lower half of the argument only. */
const among = (argument: number, values: ReadonlyArray<number>, found: Instruction, other: Instruction) => [
  load(offsets.argument(argument)),
  ...values.map((value, index) => equals(value, { yes: values.length - index })),
  other,
  found
]

const ofFamily: ReadonlyArray<Instruction> = [
  load(offsets.argument(0)),
  equals(unix, { yes: 6 }),
  equals(inet, { yes: 5 }),
  equals(inet6, { yes: 4 }),
  equals(netlink, { no: 2 }),
  load(offsets.argument(2)),
  equals(netlinkRoute, { yes: 1 }),
  noSuchFamily,
  allowed
]

const judged: ReadonlyArray<readonly [Numbers, ReadonlyArray<Instruction>]> = [
  [{ x64: 56, arm64: 220 }, without(0, namespaces)],
  [{ x64: 272, arm64: 97 }, without(0, namespaces + timeNamespace)],
  [{ x64: 16, arm64: 29 }, among(1, [pushInput, consoleSelection], notPermitted, allowed)],
  [{ x64: 135, arm64: 92 }, among(0, personalities, allowed, notPermitted)],
  [{ x64: 41, arm64: 198 }, ofFamily],
  [{ x64: 53, arm64: 199 }, among(0, [unix], allowed, noSuchFamily)]
]

/** `then` ends with an answer. */
const when = (number: number | undefined, then: ReadonlyArray<Instruction>): ReadonlyArray<Instruction> =>
  number === undefined ? [] : [equals(number, { no: then.length }), ...then]

const encode = (instructions: ReadonlyArray<Instruction>): Uint8Array => {
  const bytes = new Uint8Array(instructions.length * 8)
  const view = new DataView(bytes.buffer)
  for (const [index, { code, k, no = 0, yes = 0 }] of instructions.entries()) {
    view.setUint16(index * 8, code, true)
    view.setUint8(index * 8 + 2, yes)
    view.setUint8(index * 8 + 3, no)
    view.setUint32(index * 8 + 4, k, true)
  }
  return bytes
}

/**
 * Undefined where there is no filter for the machine. Calls of another architecture than its own end the process: a
 * 32-bit program could make each of them under another number.
 */
export const program = (architecture: string): Uint8Array | undefined => {
  if (architecture !== "x64" && architecture !== "arm64") return undefined
  return encode([
    load(offsets.architecture),
    equals(architectures[architecture], { yes: 1 }),
    killed,
    load(offsets.number),
    // The x32 forms of all calls have a bit above.
    above(lastKnown, { no: 1 }),
    noSuchCall,
    ...judged.flatMap(([numbers, then]) => when(numbers[architecture], then)),
    ...Object.values(refused).flatMap((numbers) => when(numbers[architecture], [notPermitted])),
    ...Object.values(absent).flatMap((numbers) => when(numbers[architecture], [noSuchCall])),
    allowed
  ])
}
