// Owns the syscalls that are allowed for some arguments only.
// Every argument looked at here is an int, unsigned int or umode_t to the kernel, which drops the register's high half.
// So do we: comparing 64 bits would let 0x1_0000_5412 pass as "not TIOCSTI" (snapd's CVE-2019-7303).

/** A test of one argument's low 32 bits, after the mask. */
export interface Comparison {
  readonly arg: number;
  readonly mask: number;
  readonly anyOf?: readonly number[];
  readonly noneOf?: readonly number[];
}

/** Allowed when every comparison of at least one alternative holds; otherwise EPERM. */
export type Condition = readonly (readonly Comparison[])[];

const whole = 0xffffffff;

const is = (arg: number, ...anyOf: number[]): Comparison => ({ arg, mask: whole, anyOf });
const masked = (arg: number, mask: number, ...anyOf: number[]): Comparison => ({ arg, mask, anyOf });
const clear = (arg: number, mask: number): Comparison => ({ arg, mask, anyOf: [0] });

// CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET. CLONE_NEWTIME (0x80) lies in clone's exit signal
// and can be asked for through clone3 and unshare only. On both architectures the flags are argument 0.
const newNamespaces = 0x7e020000;

// PER_LINUX, PER_LINUX32, both with UNAME26, and "tell me". Not ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, MMAP_PAGE_ZERO …
const harmlessPersonalities = [0, 8, 0x20000, 0x20008, 0xffffffff];

// TIOCSTI and TIOCLINUX type into a terminal that others read (CVE-2017-5226, CVE-2023-1523); TIOCSETD loads line
// disciplines, which are kernel drivers (CVE-2017-2636).
const refusedIoctls = [0x5412, 0x541c, 0x5423];

const family = { unix: 1, inet: 2, inet6: 10, netlink: 16 };
const type = { stream: 1, dgram: 2, raw: 3, seqpacket: 5 };
const typeBits = 0xf;
const protocol = { byType: 0, tcp: 6, udp: 17, netlinkRoute: 0 };

// The protocol too: an AF_INET stream can also be SCTP, MPTCP or SMC, a datagram L2TP, UDP-Lite or ping.
const sockets: Condition = [
  [is(0, family.unix), masked(1, typeBits, type.stream, type.dgram, type.seqpacket)],
  [is(0, family.inet, family.inet6), masked(1, typeBits, type.stream), is(2, protocol.byType, protocol.tcp)],
  [is(0, family.inet, family.inet6), masked(1, typeBits, type.dgram), is(2, protocol.byType, protocol.udp)],
  // getifaddrs(3) and every language's list of interfaces.
  [is(0, family.netlink), masked(1, typeBits, type.raw, type.dgram), is(2, protocol.netlinkRoute)],
];

const everywhere: Readonly<Record<string, Condition>> = {
  clone: [[clear(0, newNamespaces)]],
  ioctl: [[{ arg: 1, mask: whole, noneOf: refusedIoctls }]],
  personality: [[is(0, ...harmlessPersonalities)]],
  socket: sockets,
  socketpair: [[is(0, family.unix), masked(1, typeBits, type.stream, type.dgram, type.seqpacket)]],
};

// S_ISUID | S_ISGID
const setIdBits = 0o6000;
// O_CREAT | __O_TMPFILE: without either the kernel ignores open's mode, and the register may hold anything.
const creating = 0o100 | 0o20000000;
const plainMode = (arg: number): Condition => [[clear(arg, setIdBits)]];

const inWritableHostFolders: Readonly<Record<string, Condition>> = {
  chmod: plainMode(1),
  fchmod: plainMode(1),
  fchmodat: plainMode(2),
  fchmodat2: plainMode(2),
  creat: plainMode(1),
  mkdir: plainMode(1),
  mkdirat: plainMode(2),
  mknod: plainMode(1),
  mknodat: plainMode(2),
  open: [[clear(1, creating)], [clear(2, setIdBits)]],
  openat: [[clear(2, creating)], [clear(3, setIdBits)]],
};

/** Takes its mode through a pointer, which a filter cannot read; with ENOSYS callers fall back to openat. */
const unreadableInWritableHostFolders: readonly string[] = ['openat2'];

/**
 * The conditional syscalls, and those answered ENOSYS because their mode can't be seen. With a writable host folder no
 * set-id file may come into being there: it would be the owner's set-id file on the host, where `nosuid` of our mount is
 * not in force. Known limit: set-id bits that a file in the folder has already are not taken away.
 */
export function conditions(writableHostFolder: boolean): {
  readonly allowedIf: ReadonlyMap<string, Condition>;
  readonly unreadable: readonly string[];
} {
  return {
    allowedIf: new Map(Object.entries(writableHostFolder ? { ...everywhere, ...inWritableHostFolders } : everywhere)),
    unreadable: writableHostFolder ? unreadableInWritableHostFolders : [],
  };
}
