"""Keep-alive requests over http and https: each end's sends have the labels that the application intended."""

import http.client
import http.server
import os
import ssl
import subprocess
import tempfile
import threading
import unittest

from .kernel import cookie_of
from .support import KERNEL, Case, active, new_context

CLIENTS, EACH = 4, 100


def certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*make, *subject, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    meant = {}

    def log_message(self, *args):
        pass

    def do_GET(self):
        _, trace_id, span_id, _ = self.headers["traceparent"].split("-")
        context = int(trace_id, 16), int(span_id, 16), 1
        self.meant.setdefault(cookie_of(self.connection), []).append(context)
        with active(context):
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")


def client(make, meant):
    connection = make()
    connection.connect()
    mine = meant.setdefault(cookie_of(connection.sock), [])
    for _ in range(EACH):
        with active(new_context()) as context:
            mine.append(context)
            header = f"00-{context[0]:032x}-{context[1]:016x}-01"
            connection.request("GET", "/", headers={"traceparent": header})
            connection.getresponse().read()
    connection.close()


class Http(Case):
    def exchange(self, server, make):
        KERNEL.reset()
        Handler.meant, asked = {}, {}
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            threads = [threading.Thread(target=client, args=(make, asked)) for _ in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            server.shutdown()
            serving.join()
            server.server_close()
        self.assertEqual([len(contexts) for contexts in asked.values()], [EACH] * CLIENTS)
        self.same(KERNEL.labels(), {**asked, **Handler.meant})
        self.assertEqual(sum(map(len, Handler.meant.values())), CLIENTS * EACH)
        self.assertEqual((KERNEL.overrun, KERNEL.torn), (0, 0))

    def test_http(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.exchange(server, lambda: http.client.HTTPConnection(*server.server_address))

    def test_https(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = certificate(folder)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            trust = ssl.create_default_context(cafile=cert)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.exchange(server, lambda: http.client.HTTPSConnection(*server.server_address, context=trust))


if __name__ == "__main__":
    unittest.main()
