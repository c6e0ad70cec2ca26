# Owns real packets for the firewall's tests: `serve` answers on every address given, `probe` connects as any uid.
import json
import os
import select
import socket
import sys

# Seconds; what is dropped takes all of it, what is refused or allowed ends at once.
PATIENCE = 3.0
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(listeners):
    """Each {uid, proto, address, port}: answers `hello` to a connection, and to a datagram. Prints `ready`; ends with stdin."""
    sockets = {}
    for one in listeners:
        os.seteuid(0)
        sock = socket.socket(family(one["address"]), TCP if one["proto"] == "tcp" else UDP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in one["address"]:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((one["address"], one["port"]))
        if one["proto"] == "tcp":
            sock.listen(1024)
        sockets[sock] = one
    kept = []
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([sys.stdin, *sockets], [], [])
        for sock in readable:
            if sock is sys.stdin:
                return
            if sockets[sock]["proto"] == "udp":
                _, peer = sock.recvfrom(2048)
                sock.sendto(b"hello", peer)
            else:
                connection, _ = sock.accept()
                connection.setblocking(False)
                try:
                    connection.sendall(b"hello")
                except OSError:
                    pass
                kept.append(connection)
                del kept[:-64]


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def ping(address):
    sock = socket.socket(family(address), UDP, socket.IPPROTO_ICMPV6 if ":" in address else socket.IPPROTO_ICMP)
    sock.settimeout(PATIENCE)
    # The kernel of a ping socket fills in identifier and checksum.
    sock.sendto(bytes([128 if ":" in address else 8, 0, 0, 0, 0, 0, 0, 1]), (address, 0))
    return sock.recv(512)


def attempt(probe):
    address = probe["address"]
    if probe["proto"] == "icmp":
        return ping(address)
    sock = socket.socket(family(address), TCP if probe["proto"] == "tcp" else UDP)
    sock.settimeout(probe.get("patience", PATIENCE))
    if "from_port" in probe:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::" if ":" in address else "0.0.0.0", probe["from_port"]))
    sock.connect((address, probe["port"]))
    if probe["proto"] == "udp":
        sock.send(b"hello")
    return sock.recv(16)


def run(probe):
    """`passed`, or the name of the error, of one probe in a process with its uid."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become(probe["uid"])
            said = b"passed" if attempt(probe) else b"closed"
        except OSError as error:
            said = (type(error).__name__ if isinstance(error, TimeoutError) else error.strerror or str(error)).encode()
        os.write(writer, said)
        os._exit(0)
    os.close(writer)
    return reader, child


def probe(probes):
    """All at once: those that are dropped wait at the same time."""
    running = [run(one) for one in probes]
    answers = []
    for reader, child in running:
        answers.append(os.read(reader, 200).decode())
        os.close(reader)
        os.waitpid(child, 0)
    print(json.dumps(answers))


if __name__ == "__main__":
    {"serve": serve, "probe": probe}[sys.argv[1]](json.loads(sys.argv[2]))
