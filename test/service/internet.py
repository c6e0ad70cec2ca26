# Owns the internet of the proxy's tests: listeners that say where they were reached, and tell it on stdout, a JSON line each.
import json
import socket
import ssl
import struct
import sys
import threading

lock = threading.Lock()


def tell(**what):
    with lock:
        print(json.dumps(what), flush=True)


def read_head(connection, got):
    while b"\r\n\r\n" not in got and len(got) < 65536:
        piece = connection.recv(4096)
        if not piece:
            break
        got += piece
    return got


def skip_body(connection, head, rest):
    lines = [line.lower() for line in head.split(b"\r\n")]
    if any(line.startswith(b"transfer-encoding:") and b"chunked" in line for line in lines):
        while not rest.endswith(b"0\r\n\r\n"):
            piece = connection.recv(4096)
            if not piece:
                break
            rest += piece
        return b""
    lengths = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
    wanted = lengths[0] if lengths else 0
    while len(rest) < wanted:
        piece = connection.recv(4096)
        if not piece:
            break
        rest += piece
    return rest[wanted:]


def answer(connection, address, port, context):
    connection.settimeout(10)
    tell(at=address, port=port)
    try:
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        rest = b""
        while True:
            got = read_head(connection, rest)
            if not got:
                break
            tell(at=address, port=port, got=got.decode("latin1"))
            head, _, rest = got.partition(b"\r\n\r\n")
            rest = skip_body(connection, head, rest)
            line = got.split(b"\r\n")[0].decode("latin1")
            path = line.split(" ")[1] if line.count(" ") > 1 else ""
            body = f"reached {address} {port} by {line}\n".encode()
            head = b"HTTP/1.1 200 OK\r\n"
            if "/redirect/" in path:
                head = b"HTTP/1.1 302 Found\r\nLocation: http://" + path.split("/redirect/")[1].encode() + b"/\r\n"
            connection.sendall(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    except OSError:
        pass
    finally:
        connection.close()


def listen(family, port, context):
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    server.listen(128)

    def accept():
        while True:
            connection, _ = server.accept()
            address = connection.getsockname()[0]
            threading.Thread(target=answer, args=(connection, address, port, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


# A name server for what dnsmasq cannot say: a name's answers in turn, the last one for ever, nothing to be kept.
def resolve(answers):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 5353))
    asked = {}
    while True:
        query, client = server.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("latin1").lower())
            at += 1 + query[at]
        question = query[12 : at + 5]
        (kind,) = struct.unpack("!H", query[at + 1 : at + 3])
        name = ".".join(labels)
        turns = answers.get(name, [])
        turn = asked.get((name, kind), 0)
        asked[(name, kind)] = turn + 1
        found = turns[min(turn, len(turns) - 1)] if turns else []
        if found == "fail":
            server.sendto(query[:2] + b"\x81\x82\x00\x01\x00\x00\x00\x00\x00\x00" + question, client)
            continue
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        records = []
        for address in found:
            if (":" in address) == (family == socket.AF_INET6) and family is not None:
                data = socket.inet_pton(family, address)
                records.append(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data)
        head = query[:2] + b"\x81\x80" + struct.pack("!HHHH", 1, len(records), 0, 0)
        server.sendto(head + question + b"".join(records), client)


def main():
    said = json.loads(sys.argv[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(said["certificate"])
    for family in (socket.AF_INET, socket.AF_INET6):
        for port in said["plain"]:
            listen(family, port, None)
        for port in said["tls"]:
            listen(family, port, context)
    threading.Thread(target=resolve, args=(said["answers"],), daemon=True).start()
    tell(ready=True)
    for line in sys.stdin:
        tell(mark=line.strip())


main()
