# Owns the attempts at the boundary: each act once, as data, run inside a sandbox and, as the control, outside of one.
# Prints {name: "ok" or the errno's name}. argv[1]: a port where somebody on the host listens.
import ctypes, errno, json, os, signal, socket, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
MACHINE = os.uname().machine
NUMBERS = {
    'x86_64': dict(ptrace=101, unshare=272, setns=308, mount=165, umount2=166, pivot_root=155, clone=56, clone3=435,
                   bpf=321, perf_event_open=298, keyctl=250, add_key=248, userfaultfd=323, io_uring_setup=425,
                   fsopen=430, open_tree=428, move_mount=429, mount_setattr=442, name_to_handle_at=303, chroot=161),
    'aarch64': dict(ptrace=117, unshare=97, setns=268, mount=40, umount2=39, pivot_root=41, clone=220, clone3=435,
                    bpf=280, perf_event_open=241, keyctl=219, add_key=217, userfaultfd=282, io_uring_setup=425,
                    fsopen=430, open_tree=428, move_mount=429, mount_setattr=442, name_to_handle_at=264, chroot=51),
}[MACHINE]
CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET = 0x10000000, 0x20000, 0x40000000


def syscall(name, *arguments):
    ctypes.set_errno(0)
    got = libc.syscall(NUMBERS[name], *arguments)
    if got < 0:
        raise OSError(ctypes.get_errno(), name)
    return got


def clone_user():
    pid = syscall('clone', CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def clone3_user():
    how = struct.pack('11Q', CLONE_NEWUSER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    pid = syscall('clone3', how, len(how))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        one.connect(address)


def send(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.sendto(b'x', address)


def open_socket(family, kind=socket.SOCK_STREAM, protocol=0):
    socket.socket(family, kind, protocol).close()


def write(path):
    with open(path, 'w') as file:
        file.write('x')


def execute(folder):
    path = folder + '/attempt'
    try:
        with open(path, 'w') as file:
            file.write('#!/bin/sh\nexit 0\n')
        os.chmod(path, 0o755)
        if os.spawnv(os.P_WAIT, path, [path]) != 0:
            raise PermissionError(errno.EACCES, path)
    finally:
        os.unlink(path)


def io_uring():
    os.close(syscall('io_uring_setup', 1, bytes(120)))


def file_handle():
    handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128))
    mount = ctypes.c_int()
    syscall('name_to_handle_at', -100, b'/', handle, ctypes.byref(mount), 0)


port = int(sys.argv[1])
attempts = {
    'unshare user': lambda: syscall('unshare', CLONE_NEWUSER),
    'unshare mount': lambda: syscall('unshare', CLONE_NEWNS),
    'unshare network': lambda: syscall('unshare', CLONE_NEWNET),
    'clone user': clone_user,
    'clone3 user': clone3_user,
    'setns own network': lambda: syscall('setns', os.open('/proc/self/ns/net', os.O_RDONLY), 0),
    'mount tmpfs': lambda: syscall('mount', b'tmpfs', b'/tmp', b'tmpfs', 0, None),
    'umount': lambda: syscall('umount2', b'/tmp', 2),
    'fsopen': lambda: syscall('fsopen', b'tmpfs', 0),
    'open_tree clone': lambda: syscall('open_tree', -100, b'/tmp', 1),
    'ptrace traceme': lambda: syscall('ptrace', 0, 0, 0, 0),
    'keyctl': lambda: syscall('keyctl', 0, -3, 1),
    'add_key': lambda: syscall('add_key', b'user', b'cofferdam', b'x', 1, -2),
    'userfaultfd': lambda: syscall('userfaultfd', 0),
    'io_uring': io_uring,
    'perf_event': lambda: syscall('perf_event_open', struct.pack('IIQ', 1, 112, 0) + bytes(96), 0, -1, -1, 0),
    'bpf map': lambda: syscall('bpf', 0, struct.pack('5I', 2, 4, 4, 1, 0) + bytes(108), 128),
    'chroot': lambda: syscall('chroot', b'/'),
    'mknod device': lambda: os.mknod('/tmp/node', 0o600 | 0o060000, os.makedev(7, 0)),
    'socket packet': lambda: open_socket(socket.AF_PACKET, socket.SOCK_RAW),
    'socket raw': lambda: open_socket(socket.AF_INET, socket.SOCK_RAW, 1),
    'socket vsock': lambda: open_socket(40),
    'socket alg': lambda: open_socket(38, socket.SOCK_SEQPACKET),
    'setuid 0': lambda: os.setuid(0),
    'setgroups': lambda: os.setgroups([1]),
    'sethostname': lambda: socket.sethostname(socket.gethostname()),
    'connect host loopback': lambda: connect(socket.AF_INET, ('127.0.0.1', port)),
    'connect abstract socket': lambda: connect(socket.AF_UNIX, '\0cofferdam-%d' % port),
    'send IPv4': lambda: send(socket.AF_INET, ('198.51.100.1', 9)),
    'send IPv6': lambda: send(socket.AF_INET6, ('2001:db8::1', 9)),
    'execute in /tmp': lambda: execute('/tmp'),
    'execute in /dev/shm': lambda: execute('/dev/shm'),
    'execute in /workspace': lambda: execute('/workspace'),
    'write to /': lambda: write('/attempt'),
    'write to /dev': lambda: write('/dev/attempt'),
    'write to /etc/passwd': lambda: os.close(os.open('/etc/passwd', os.O_WRONLY)),
    'write to /usr/bin/env': lambda: os.close(os.open('/usr/bin/env', os.O_WRONLY)),
    'write to /proc/sys': lambda: os.close(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)),
    'read memory of PID 1': lambda: os.close(os.open('/proc/1/mem', os.O_RDONLY)),
    'read environment of PID 1': lambda: open('/proc/1/environ').read(),
    'read program of PID 1': lambda: os.readlink('/proc/1/exe'),
    'enter root of PID 1': lambda: os.listdir('/proc/1/root/'),
}

results = {}
for name, act in attempts.items():
    # Each in a process of its own: some acts change who we are.
    read, wrote = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            act()
            word = 'ok'
        except OSError as error:
            word = errno.errorcode.get(error.errno, str(error))
        os.write(wrote, word.encode())
        os._exit(0)
    os.close(wrote)
    results[name] = os.read(read, 100).decode() or 'killed'
    os.close(read)
    os.waitpid(pid, 0)
print(json.dumps(results))
