"""Executes its standard input line by line, and answers each with a line.

connect HOST PORT: as applications do, with getaddrinfo; prints the address that it connected to.
ask SERVER NAME: sends its own query over an unconnected socket; prints the length of the answer.
"""
import json
import os
import socket
import struct
import sys


def ask(server, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = b"\x12\x34\x01\x00\0\1\0\0\0\0\0\0" + labels + b"\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(query, (server, 53))
        return len(sock.recv(4096))


for line in sys.stdin:
    verb, first, second = line.split()
    if verb == "ask":
        said = {"size": ask(first, second)}
    else:
        with socket.create_connection((first, int(second))) as connected:
            said = {"address": connected.getpeername()[0]}
    print(json.dumps({"pid": os.getpid(), **said}), flush=True)
