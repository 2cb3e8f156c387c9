"""Sends requests over TLS with Python's clients; prints a line of JSON (Range of test/support/loss.ts) for each that has a
traceparent. Every third has none. usage: client.py WAY ADDRESS PORT CA COUNT
kept: http.client, one connection; fresh: urllib, a connection for each; later: encrypted into memory, and sent after the call;
unread: over one non-blocking connection, while the server reads nothing until the client cannot send more;
restarted, interrupted: as kept, with long requests and a small buffer, while a signal comes each ms, with SA_RESTART or without;
forked: three long requests in a thread, while the program forks; each child then has a connection of its own, as kept.
"""
import http.client
import json
import os
import secrets
import signal
import socket
import ssl
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../loss"))
from written import written

way, address, port, trust, count = sys.argv[1:]
port, count = int(port), int(count)
context = ssl.create_default_context(cafile=trust)
context.check_hostname = False


def print_range(local, traceparent, begin, end):
    line = {"side": "client", "traceparent": traceparent, "from": begin, "to": end, "port": local, "service": port}
    print(json.dumps(line), flush=True)


def headers_of(i, bytes=2200):
    headers = {"cookie": secrets.token_urlsafe(bytes)}
    if i % 3 < 2:
        # Before the cookie, within the window that is searched.
        headers = {"traceparent": "00-{}-{}-01".format(secrets.token_hex(16), secrets.token_hex(8))} | headers
    return headers


def text_of(headers):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET / HTTP/1.1\r\nhost: {address}\r\n{lines}\r\n".encode()


def kept(count=count, bytes=2200, buffer=None):
    connection = http.client.HTTPSConnection(address, port, context=context)
    connection.connect()
    if buffer:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    local = connection.sock.getsockname()[1]
    for i in range(count):
        headers = headers_of(i, bytes)
        begin = written(connection.sock)
        connection.request("GET", "/", headers=headers)
        connection.getresponse().read()
        if "traceparent" in headers:
            print_range(local, headers["traceparent"], begin, written(connection.sock))
    connection.close()


def signalled(interrupts):
    signals = 0

    def on_signal(*_):
        nonlocal signals
        signals += 1

    signal.signal(signal.SIGALRM, on_signal)
    signal.siginterrupt(signal.SIGALRM, interrupts)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    kept(bytes=24000, buffer=4096)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps({"signals": signals}))


def forked():
    thread = threading.Thread(target=kept, args=(3, 48000, 4096))
    thread.start()
    for _ in range(count):
        time.sleep(0.02)
        child = os.fork()
        if child == 0:
            kept(2)
            os._exit(0)
        os.waitpid(child, 0)
    print(json.dumps({"alive": thread.is_alive()}))
    thread.join()


def fresh():
    for i in range(count):
        headers = headers_of(i)
        request = urllib.request.Request(f"https://{address}:{port}/", headers=headers)
        urllib.request.urlopen(request, context=context).read()
        if "traceparent" in headers:
            print_range(0, headers["traceparent"], 0, 0)


def later():
    sock = socket.create_connection((address, port))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=address)

    def until(step):
        while True:
            try:
                result = step()
                sock.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))

    until(tls.do_handshake)
    for i in range(count):
        headers = headers_of(i)
        until(lambda: tls.write(text_of(headers)))
        until(lambda: tls.read(65536))
        if "traceparent" in headers:
            print_range(0, headers["traceparent"], 0, 0)


def unread():
    connection = context.wrap_socket(socket.create_connection((address, port)), server_hostname=address)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    connection.setblocking(False)
    waits = 0
    for i in range(count):
        headers = headers_of(i)
        left = text_of(headers)
        while left:
            try:
                left = left[connection.send(left):]
            except ssl.SSLWantWriteError:
                waits += 1
                if waits == 1:
                    print("full", flush=True)
                    sys.stdin.readline()
        if "traceparent" in headers:
            print_range(0, headers["traceparent"], 0, 0)
    print(json.dumps({"waits": waits}))


ways = {"kept": kept, "fresh": fresh, "later": later, "unread": unread, "forked": forked}
ways |= {"restarted": lambda: signalled(False), "interrupted": lambda: signalled(True)}
ways[way]()
