# Owns the internet of the way out's tests: a name server and a web server. argv: names to addresses, root folder, certificate.
import http.server, json, socket, ssl, struct, sys, threading

names, root, certificate, dns_at, web_at = json.loads(sys.argv[1])


def answer(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin1").lower())
        at += 1 + query[at]
    question = query[12 : at + 5]
    (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
    address = names.get(".".join(labels))
    found = [socket.inet_aton(address)] if address and kind == 1 else []
    code = 0 if address else 3
    head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(found), 0, 0)
    return head + question + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + one for one in found)


def serve_names():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((dns_at, 53))
    while True:
        query, sender = server.recvfrom(4096)
        try:
            server.sendto(answer(query), sender)
        except (IndexError, struct.error):
            pass


class Pages(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *words):
        super().__init__(*words, directory=root)

    def do_GET(self):
        if self.path == "/slow":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"begun\n")
            self.wfile.flush()
            self.connection.settimeout(60)
            self.connection.recv(1)
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, *words):
        pass


def serve_pages(address, port, context):
    server = http.server.ThreadingHTTPServer((address, port), Pages, bind_and_activate=False)
    server.request_queue_size = 128
    server.server_bind()
    server.server_activate()
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
threading.Thread(target=serve_names, daemon=True).start()
for address in web_at:
    serve_pages(address, 80, None)
    serve_pages(address, 443, context)
print("ready", flush=True)
sys.stdin.read()
