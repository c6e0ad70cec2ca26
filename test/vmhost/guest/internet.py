# Owns the internet of the virtual worker host: a name server that knows two names, and a web server behind them.
import socketserver
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

here = '45.45.45.10'
names = {b'one.example.org', b'two.example.org'}


class Names(socketserver.BaseRequestHandler):
    def handle(self):
        query, socket = self.request
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]])
            at += 1 + query[at]
        kind = struct.unpack('>H', query[at + 1 : at + 3])[0]
        question = query[12 : at + 5]
        known = b'.'.join(labels).lower() in names
        answer = b''
        if known and kind == 1:
            answer = b'\xc0\x0c' + struct.pack('>HHIH', 1, 1, 60, 4) + bytes(int(part) for part in here.split('.'))
        flags = 0x8580 if known else 0x8583
        socket.sendto(query[:2] + struct.pack('>HHHHH', flags, 1, 1 if answer else 0, 0, 0) + question + answer, self.client_address)


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'reached-the-way-out\n'
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


threading.Thread(target=socketserver.ThreadingUDPServer((here, 53), Names).serve_forever, daemon=True).start()
ThreadingHTTPServer((here, 80), Page).serve_forever()
