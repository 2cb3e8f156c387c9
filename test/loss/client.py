"""Sends `CLIENTS` × `REQUESTS` requests, each labelled with its own span, over one connection per client; prints a line of JSON
for each (Request of test/support/loss.ts). usage: client.py URL CLIENTS REQUESTS [CA]
"""
import contextvars
import http.client
import json
import secrets
import ssl
import sys
import threading
import time
import urllib.parse

import wirespan_correlate
from written import written

url = urllib.parse.urlsplit(sys.argv[1])
clients, requests = int(sys.argv[2]), int(sys.argv[3])
trust = ssl.create_default_context(cafile=sys.argv[4]) if url.scheme == "https" else None
context = contextvars.ContextVar("context", default=None)
wirespan_correlate.install(context.get)
lock = threading.Lock()


def connect():
    if trust:
        return http.client.HTTPSConnection(url.netloc, context=trust)
    return http.client.HTTPConnection(url.netloc)


def ask(connection):
    ids = secrets.randbits(128) | 1, secrets.randbits(64) | 1, 1
    traceparent = "00-{:032x}-{:016x}-{:02x}".format(*ids)
    begin = time.time_ns()
    context.set(ids)
    # The first request opens the connection.
    first = written(connection.sock) if connection.sock else 0
    connection.request("GET", url.path + ("?" + url.query if url.query else ""), headers={"traceparent": traceparent})
    connection.getresponse().read()
    port, service = connection.sock.getsockname()[1], connection.sock.getpeername()[1]
    line = {"side": "client", "traceparent": traceparent, "from": first, "to": written(connection.sock)}
    line |= {"port": port, "service": service, "start": str(begin), "end": str(time.time_ns())}
    with lock:
        print(json.dumps(line))


def client():
    connection = connect()
    for _ in range(requests):
        ask(connection)
    context.set(None)
    connection.close()


threads = [threading.Thread(target=client) for _ in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
