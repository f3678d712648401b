/**
 * A seccomp filter in classic BPF, assembled by hand: it names what untrusted code may not ask of the kernel. Everything
 * else of it is bounded by namespaces and resource limits. Numbers: asm/unistd_64.h and asm-generic/unistd.h.
 */

const ALLOW = 0x7fff0000
const KILL = 0x80000000
const errno = (number: number) => 0x00050000 | number
const EPERM = 1
const ENOSYS = 38

const LOAD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_AT_LEAST = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06

/** Offsets in struct seccomp_data. */
const NUMBER = 0
const ARCHITECTURE = 4
const FIRST_ARGUMENT = 16

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; NEWTIME shares a bit with the exit signal. */
const NAMESPACES = 0x7e020000
const CLONE_THREAD = 0x00010000

interface Architecture {
  audit: number
  clone: number
  clone3: number
  /** create another process in any case */
  forks: number[]
  /** call numbers from here on belong to another ABI; absent where there is none */
  foreign?: number
  denied: Record<string, number>
}

const ARCHITECTURES: Partial<Record<NodeJS.Architecture, Architecture>> = {
  x64: {
    audit: 0xc000003e,
    clone: 56,
    clone3: 435,
    forks: [57, 58],
    foreign: 0x40000000,
    // biome-ignore format: a table
    denied: {
      socket: 41, connect: 42, bind: 49, listen: 50, ptrace: 101, syslog: 103, personality: 135, vhangup: 153, modify_ldt: 154,
      pivot_root: 155, adjtimex: 159, chroot: 161, acct: 163, settimeofday: 164, mount: 165, umount2: 166, swapon: 167,
      swapoff: 168, reboot: 169, sethostname: 170, setdomainname: 171, iopl: 172, ioperm: 173, init_module: 175,
      delete_module: 176, quotactl: 179, lookup_dcookie: 212, clock_settime: 227, mbind: 237, set_mempolicy: 238,
      mq_open: 240, kexec_load: 246, add_key: 248, request_key: 249, keyctl: 250, migrate_pages: 256, unshare: 272,
      move_pages: 279, vmsplice: 278, perf_event_open: 298, fanotify_init: 300, open_by_handle_at: 304, clock_adjtime: 305,
      setns: 308, process_vm_readv: 310, process_vm_writev: 311, kcmp: 312, finit_module: 313, kexec_file_load: 320,
      bpf: 321, userfaultfd: 323, io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427, open_tree: 428,
      move_mount: 429, fsopen: 430, fsconfig: 431, fsmount: 432, fspick: 433, pidfd_getfd: 438, process_madvise: 440,
      mount_setattr: 442, quotactl_fd: 443, memfd_secret: 447, shmget: 29, shmat: 30, semget: 64, msgget: 68,
    },
  },
  arm64: {
    audit: 0xc00000b7,
    clone: 220,
    clone3: 435,
    forks: [],
    // biome-ignore format: a table
    denied: {
      socket: 198, connect: 203, bind: 200, listen: 201, ptrace: 117, syslog: 116, personality: 92, vhangup: 58,
      pivot_root: 41, adjtimex: 171, chroot: 51, acct: 89, settimeofday: 170, mount: 40, umount2: 39, swapon: 224,
      swapoff: 225, reboot: 142, sethostname: 161, setdomainname: 162, init_module: 105, delete_module: 106, quotactl: 60,
      lookup_dcookie: 18, clock_settime: 112, mbind: 235, set_mempolicy: 237, mq_open: 180, kexec_load: 104, add_key: 217,
      request_key: 218, keyctl: 219, migrate_pages: 238, unshare: 97, move_pages: 239, vmsplice: 75, perf_event_open: 241,
      fanotify_init: 262, open_by_handle_at: 265, clock_adjtime: 266, setns: 268, process_vm_readv: 270,
      process_vm_writev: 271, kcmp: 272, finit_module: 273, kexec_file_load: 294, bpf: 280, userfaultfd: 282,
      io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427, open_tree: 428, move_mount: 429, fsopen: 430,
      fsconfig: 431, fsmount: 432, fspick: 433, pidfd_getfd: 438, process_madvise: 440, mount_setattr: 442,
      quotactl_fd: 443, memfd_secret: 447, shmget: 194, shmat: 196, semget: 190, msgget: 186,
    },
  },
}

/** Calls of the answer's own process, when all its files are there: these would only let it hoard memory. */
const MEMORY_FILES: Partial<Record<NodeJS.Architecture, number>> = { x64: 319, arm64: 279 }

/**
 * The compiled program, as bwrap's --seccomp and prctl(PR_SET_SECCOMP) take it: 8 bytes an instruction.
 *
 * @param processes whether new processes may be made; threads always may
 * @throws Error for a processor without a table
 */
export function seccompFilter({ processes }: { processes: boolean }, arch: NodeJS.Architecture = process.arch): Buffer {
  const table = ARCHITECTURES[arch]
  if (!table) throw new Error(`there is no seccomp filter for ${arch}: code answers can be run on x64 and arm64`)
  const { audit, clone, clone3, forks, foreign, denied } = table
  const refused = [...Object.values(denied), ...(processes ? [] : [...forks, MEMORY_FILES[arch]!])]
  const program = [
    instruction(LOAD, ARCHITECTURE),
    instruction(JUMP_EQUAL, audit, 1, 0),
    instruction(RETURN, KILL),
    instruction(LOAD, NUMBER),
    ...(foreign === undefined ? [] : refuse(JUMP_AT_LEAST, foreign, EPERM)),
    ...refused.flatMap((number) => refuse(JUMP_EQUAL, number, EPERM)),
    // Its flags lie in memory, where no filter sees them: libc then takes clone.
    ...refuse(JUMP_EQUAL, clone3, ENOSYS),
    instruction(JUMP_EQUAL, clone, 1, 0),
    instruction(RETURN, ALLOW),
    instruction(LOAD, FIRST_ARGUMENT),
    ...refuse(JUMP_ANY_BIT, NAMESPACES, EPERM),
    ...(processes ? [] : [instruction(JUMP_ANY_BIT, CLONE_THREAD, 1, 0), instruction(RETURN, errno(EPERM))]),
    instruction(RETURN, ALLOW),
  ]
  return Buffer.concat(program)
}

function refuse(jump: number, value: number, error: number): Buffer[] {
  return [instruction(jump, value, 0, 1), instruction(RETURN, errno(error))]
}

/** struct sock_filter: code, jump where true, jump where false, operand. */
function instruction(code: number, operand: number, whenTrue = 0, whenFalse = 0): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16LE(code, 0)
  bytes.writeUInt8(whenTrue, 2)
  bytes.writeUInt8(whenFalse, 3)
  bytes.writeUInt32LE(operand >>> 0, 4)
  return bytes
}
