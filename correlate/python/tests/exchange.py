"""Communicates with itself over labelled connections, for tests that trace it from the kernel.

Prints, as JSON, the contexts of the bytes of each connection's end, in order, by local and remote
port, and those of refused attempts to connect.
usage: exchange.py http|https|asyncio CLIENTS REQUESTS REFUSED [CERTIFICATE KEY]
"""

import asyncio
import contextvars
import http.client
import http.server
import json
import pathlib
import secrets
import socket
import ssl
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import wirespan_correlate  # noqa: E402

context = contextvars.ContextVar("context", default=None)
meant, refused = {}, []


def text(ids):
    return "00-{:032x}-{:016x}-{:02x}".format(*ids)


def begin(sock=None):
    """A new context, for what `sock` sends next."""
    ids = secrets.randbits(128) | 1, secrets.randbits(64) | 1, 1
    context.set(ids)
    if sock is not None:
        ports = f"{sock.getsockname()[1]}-{sock.getpeername()[1]}"
        meant.setdefault(ports, []).append(text(ids))
    return text(ids)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        begin(self.connection)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        context.set(None)


def ask(make, requests):
    connection = make()
    connection.connect()
    for _ in range(requests):
        connection.request("GET", "/", headers={"traceparent": begin(connection.sock)})
        connection.getresponse().read()
    context.set(None)
    connection.close()


def exchange(clients, requests, server_side, trust):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if server_side:
        server.socket = server_side.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()

    def make():
        if trust:
            return http.client.HTTPSConnection(*server.server_address, context=trust)
        return http.client.HTTPConnection(*server.server_address)

    threads = [threading.Thread(target=ask, args=(make, requests)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.shutdown()
    server.server_close()


async def exchange_async(clients, requests, server_side, trust):
    async def serve(reader, writer):
        while await reader.read(100):
            begin(writer.get_extra_info("socket"))
            writer.write(b"ok")
            context.set(None)
        writer.close()

    async def ask_async(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        for _ in range(requests):
            begin(writer.get_extra_info("socket"))
            writer.write(b"ping")
            await reader.read(100)
        context.set(None)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side) as server:
        port = server.sockets[0].getsockname()[1]
        await asyncio.gather(*(ask_async(port) for _ in range(clients)))


def main(mode, clients, requests, refusals, *files):
    wirespan_correlate.install(context.get)
    server_side = trust = None
    if files:
        server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_side.load_cert_chain(*files)
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    if mode == "asyncio":
        asyncio.run(exchange_async(int(clients), int(requests), server_side, trust))
    else:
        exchange(int(clients), int(requests), server_side, trust)
    for _ in range(int(refusals)):
        refused.append(begin())
        try:
            # Nothing listens on port 1.
            socket.create_connection(("127.0.0.1", 1))
        except ConnectionRefusedError:
            pass
    print(json.dumps({"meant": meant, "refused": refused}))


if __name__ == "__main__":
    main(*sys.argv[1:])
