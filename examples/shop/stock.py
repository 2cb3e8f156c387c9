"""The shop's stock service, over HTTPS: GET /stock/ITEM; GET /stock/crash ends the connection by a reset.

It has no SDK; its bytes are labelled with the caller's span.
"""

import json
import os
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import wirespan_correlate

serving = threading.local()
wirespan_correlate.install(lambda: getattr(serving, "context", None))


def context_of(header):
    """`traceparent` as a tuple of trace id, span id and flags; None if it is not one."""
    try:
        version, trace, span, flags = header.split("-")
        return (int(trace, 16), int(span, 16), int(flags, 16)) if version == "00" else None
    except (AttributeError, ValueError):
        return None


class Stock(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.path.rsplit("/", 1)[1]
        if asked == "crash":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
            self.close_connection = True
            return
        item = int(asked)
        serving.context = context_of(self.headers.get("traceparent"))
        # Some tens of segments, like an answer that includes history.
        body = json.dumps({"stock": item * 7 % 100, "history": [item * day % 997 for day in range(6000)]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        serving.context = None

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Stock)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.environ["CERTIFICATE"], os.environ["KEY"])
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("ready", flush=True)
server.serve_forever()
