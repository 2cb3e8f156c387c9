"""An ordinary HTTP server: server.py ADDRESS. Ends when its standard input is closed."""

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from counted import Counted, say


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "500")
        self.end_headers()
        self.wfile.write(b"a" * 500)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET

    def get_request(self):
        plain, address = super().get_request()
        return Counted.of(plain, "server"), address


with Server((sys.argv[1], 0), Handler) as server:
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    say("server", event="listening", port=server.server_address[1])
    server.serve_forever()
