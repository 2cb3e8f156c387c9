"""A resolver on UDP port 53 that knows a zone, and listeners on TCP: server.py ZONE ADDRESS... -- ADDRESS:PORT...

ZONE is JSON: a name to {"cname": name} or {"a": [address], "aaaa": [address]}, either with a "ttl".
"""
import json
import selectors
import socket
import struct
import sys

TYPES = {1: "a", 28: "aaaa"}


def wire(name):
    labels = [label.encode() for label in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(name, kind, ttl, data):
    return wire(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def question(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += query[at] + 1
    return ".".join(labels), struct.unpack("!H", query[at + 1 : at + 3])[0], query[12 : at + 5]


def answer(query, zone):
    name, kind, asked = question(query)
    records, known = [], zone.get(name.lower())
    while known and "cname" in known:
        records.append(record(name, 5, known["ttl"], wire(known["cname"])))
        name = known["cname"]
        known = zone.get(name)
    for address in (known or {}).get(TYPES.get(kind, ""), []):
        family = socket.AF_INET if kind == 1 else socket.AF_INET6
        records.append(record(name, kind, known["ttl"], socket.inet_pton(family, address)))
    header = query[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, len(records), 0, 0)
    return header + asked + b"".join(records)


def bound(address, port, kind):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    if kind == socket.SOCK_STREAM:
        sock.listen(64)
    return sock


def main():
    split = sys.argv.index("--")
    zone = json.loads(sys.argv[1])
    selector = selectors.DefaultSelector()
    for address in sys.argv[2:split]:
        selector.register(bound(address, 53, socket.SOCK_DGRAM), selectors.EVENT_READ, "dns")
    for end in sys.argv[split + 1 :]:
        address, port = end.rsplit(":", 1)
        selector.register(bound(address, int(port), socket.SOCK_STREAM), selectors.EVENT_READ, "tcp")
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.data == "tcp":
                key.fileobj.accept()[0].close()
                continue
            query, peer = key.fileobj.recvfrom(4096)
            key.fileobj.sendto(answer(query, zone), peer)


main()
