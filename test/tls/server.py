"""An HTTPS server that answers each request with a few bytes; prints its port. usage: server.py ADDRESS KEY CERTIFICATE VERSION"""
import http.server
import ssl
import sys

address, key, certificate, version = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"yes")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    # Some clients disconnect without reading their answers.
    def handle_error(self, *_):
        pass


server = Server((address, 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
