"""Maintains context tables by hand (docs/context-table.md), so that a test knows every number in them.

usage: tables.py both DESCRIPTORS: a table of the process and one of its first thread, then 20 refused connects
       tables.py first: connections whose first message has a context, and some whose first message has none
       tables.py later: prints "announced", then for each line of its input sends one byte and prints "sent": in a context of its
           own; with "same" in the one before; with "announce" after announcing the table again
       tables.py joined ADDRESS PORT: sends 100 bytes without a context, and 100 with one; ends when its input is closed
       tables.py attempts: 20 refused connects, 10 of them of one socket and for one request
       tables.py serve ADDRESS: prints its port, then answers each message of one connection, and prints the context
       tables.py slots: one slot whose numbers wrap, that changes owners, and that is written too often
Prints the contexts of its sends and connects as JSON.
"""

import itertools
import json
import mmap
import os
import resource
import secrets
import socket
import struct
import sys

SLOTS = 16
WORD = 1 << 32


def traceparent():
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def record(text):
    _, trace, span, flags = text.split("-")
    return bytes.fromhex(trace + span) + bytes((1, int(flags, 16), 0, 0))


class Table:
    def __init__(self, flags):
        self.memory = mmap.mmap(-1, 64 + 256 * SLOTS, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.memory[:24] = struct.pack("=8sIIII", b"WSNCTXT1", 64, SLOTS, 256, flags)

    def announce(self, to):
        to.sendall(memoryview(self.memory)[:64])

    def put(self, at, format, *values):
        struct.pack_into(format, self.memory, at, *values)


class Slot:
    """The slot of a connection."""

    def __init__(self, table, end):
        self.table, self.seq = table, 0
        local, remote = end.getsockname(), end.getpeername()
        self.at = 64 + 256 * ((local[1] * 31 + remote[1]) & (SLOTS - 1))
        addresses = [b"\0" * 10 + b"\xff\xff" + socket.inet_aton(a) for a, _ in (local, remote)]
        self.key = struct.pack("=HH", local[1], remote[1]) + b"".join(addresses)

    def take_over(self, key):
        self.table.put(self.at, "=I", self.seq | 1)
        self.seq = ((self.seq | 1) + 1) % WORD
        self.table.put(self.at + 4, "36s196sI", key, b"", self.seq)
        self.table.put(self.at, "=I", self.seq)

    def write(self, text):
        self.table.put(self.at, "=I", self.seq + 1)
        self.table.put(self.at + 40 + 28 * (self.seq // 2 % 7), "28s", record(text))
        self.seq = (self.seq + 2) % WORD
        self.table.put(self.at, "=I", self.seq)
        return text


def pair(listener):
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]


def both(listener, descriptors):
    descriptors = int(descriptors)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors + 64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    held = [os.dup(0) for _ in range(descriptors)]
    out, _in = pair(listener)
    own, process = Table(1), Table(0)
    own.announce(out)
    process.announce(out)
    refused = []
    for _ in range(20):
        refused.append(traceparent())
        own.put(36, "28s", record(refused[-1]))
        with socket.socket() as client:
            client.connect_ex(("127.0.0.1", 1))
        own.put(36, "28s", b"")
    return {"refused": refused, "descriptors": len(held)}


def attempts(listener):
    out, _in = pair(listener)
    table = Table(1)
    table.announce(out)
    refused = [traceparent()] * 10 + [traceparent() for _ in range(10)]
    with socket.socket() as used:
        for i, text in enumerate(refused):
            table.put(36, "28s", record(text))
            client = used if i < 10 else socket.socket()
            client.connect_ex(("127.0.0.1", 1))
            table.put(36, "28s", b"")
            if client is not used:
                client.close()
    return {"refused": refused}


def joined(listener, address, port):
    table, *_held = announced(listener)
    client = socket.create_connection((address, int(port)))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(b"n" * 100)
    slot = Slot(table, client)
    slot.take_over(slot.key)
    text = slot.write(traceparent())
    client.sendall(b"c" * 100)
    print(text, flush=True)
    sys.stdin.read()
    return {}


def announced(listener):
    out, _in = pair(listener)
    table = Table(0)
    table.announce(out)
    # Announcing ends with the connection.
    return table, out, _in


def first(listener):
    table, *_held = announced(listener)
    # The beginning of a TLS 1.3 connection: ClientHello, ChangeCipherSpec, Finished; and a data record.
    hello = bytes.fromhex("16030100fa010000f6") + b"h" * 246
    change = bytes.fromhex("140303000101")
    finished = bytes.fromhex("1703030035") + b"f" * 53
    data = bytes.fromhex("17030300c8") + b"d" * 200
    reported = []
    for before, is_told in (
        ((), True),
        ((b"x",), False),
        ((b"x" * 300,), False),
        ((hello, change, finished), True),
        ((hello, change + finished), True),
        ((hello, change, finished, data), False),
        ((hello, change + finished, data), False),
    ):
        client, server = pair(listener)
        for message in before:
            client.sendall(message)
            server.recv(1000)
        slot = Slot(table, client)
        slot.take_over(slot.key)
        text = slot.write(traceparent())
        client.sendall(data if before[:1] == (hello,) else b"x" * 300)
        if is_told:
            reported.append(text)
    return {"reported": reported}


def later(listener):
    table, out, _in = announced(listener)
    client, _server = pair(listener)
    slot = Slot(table, client)
    slot.take_over(slot.key)
    sent = []
    print("announced", flush=True)
    for line in sys.stdin:
        if "announce" in line:
            table.announce(out)
        if "same" in line:
            sent.append(sent[-1])
        else:
            sent.append(slot.write(traceparent()))
        client.sendall(b"x")
        print("sent", flush=True)
    return {"sent": sent}


def serve(listener, address):
    table, *_held = announced(listener)
    sent = []
    with socket.create_server((address, 0)) as own:
        print(own.getsockname()[1], flush=True)
        server = own.accept()[0]
        slot = Slot(table, server)
        slot.take_over(slot.key)
        try:
            while server.recv(1000):
                sent.append(slot.write(traceparent()))
                server.sendall(b"a" * 300)
                print(sent[-1], flush=True)
        except ConnectionResetError:
            pass
    return {"sent": sent}


def slots(listener):
    # Two connections: each announces, and the first byte of the second is examined.
    out, _in = pair(listener)
    table = Table(0)
    table.announce(out)
    client, _server = pair(listener)
    slot = Slot(table, client)
    # The second send's numbers are the last and the first.
    slot.seq = WORD - 6
    sent = []

    def send(*texts):
        sent.extend(texts[-7:])
        client.sendall(b"x")

    slot.take_over(slot.key)
    for count in itertools.chain(range(1, 8), range(1, 8)):
        send(*[slot.write(traceparent()) for _ in range(count)])
    # Two contexts, each of them named twice.
    again = (traceparent(), traceparent())
    for text in again * 2:
        slot.write(text)
    send(*again)
    # Another connection has used it in between.
    slot.take_over(b"\0" * 36)
    for _ in range(50):
        slot.write(traceparent())
    slot.take_over(slot.key)
    send(slot.write(traceparent()))
    # Two are lost.
    send(*[slot.write(traceparent()) for _ in range(9)])
    return {"sent": sent}


MODES = {"attempts": attempts, "both": both, "joined": joined, "first": first, "later": later, "serve": serve, "slots": slots}
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(json.dumps(MODES[sys.argv[1]](listener, *sys.argv[2:])))
