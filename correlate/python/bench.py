"""What one label costs: prints a JSON object of nanoseconds, the best of several rounds."""

import contextvars
import json
import pathlib
import socket
import sys
import timeit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import wirespan_correlate  # noqa: E402
from wirespan_correlate import sockets  # noqa: E402

_context = contextvars.ContextVar("context", default=None)
ROUNDS, CALLS = 9, 20_000


def best(call):
    return round(min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e9)


def main():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    wirespan_correlate.install(_context.get)
    figures = {}
    figures["no context"] = best(lambda: sockets.label(client))
    one = (1 << 127) + 1, (1 << 63) + 1, 1
    other = (1 << 126) + 1, (1 << 62) + 1, 1
    _context.set(one)
    figures["the same context again"] = best(lambda: sockets.label(client))

    def change():
        _context.set(one)
        sockets.label(client)
        _context.set(other)
        sockets.label(client)

    figures["a new context"] = best(change) // 2
    client.close()
    server.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
