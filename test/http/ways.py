"""Requests that a program sends in other ways than with a plain send().

usage: ways.py ask ADDRESS PORT WAY COUNT: requests over one connection, alternately by send() and by WAY; prints their contexts
       ways.py serve ADDRESS: accepts connections when their first data arrives; prints its port, then answers each message
       ways.py first ADDRESS PORT COUNT: two requests on each of COUNT connections; prints their contexts
WAY: zerocopy, sendfile, splice, or io_uring's uring, uring-worker (in a thread of the kernel's), uring-registered (a buffer
that the kernel keeps)
"""

import ctypes
import mmap
import os
import secrets
import socket
import struct
import sys
import tempfile

MSG_ZEROCOPY, SO_ZEROCOPY = 0x4000000, 60
SYS_URING_SETUP, SYS_URING_ENTER, SYS_URING_REGISTER = 425, 426, 427
OP_WRITE_FIXED, OP_SEND = 5, 26
ASYNC = 1 << 4
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *words):
    result = libc.syscall(number, *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result


class Ring:
    """An io_uring with one request at a time."""

    def __init__(self):
        parameters = ctypes.create_string_buffer(120)
        self.fd = call(SYS_URING_SETUP, 1, parameters)
        entries, results = struct.unpack_from("=II", parameters)
        self.sq = struct.unpack_from("=IIIIIII", parameters, 40)
        self.cq = struct.unpack_from("=IIIIII", parameters, 80)
        self.submissions = mmap.mmap(self.fd, self.sq[6] + 4 * entries, offset=0)
        self.completions = mmap.mmap(self.fd, self.cq[5] + 16 * results, offset=0x8000000)
        self.requests = mmap.mmap(self.fd, 64 * entries, offset=0x10000000)

    def submit(self, opcode, flags, fd, address, size):
        (tail,) = struct.unpack_from("=I", self.submissions, self.sq[1])
        self.requests[:64] = struct.pack("=BBHiQQI36x", opcode, flags, 0, fd, 0, address, size)
        struct.pack_into("=I", self.submissions, self.sq[6], 0)
        struct.pack_into("=I", self.submissions, self.sq[1], tail + 1)
        call(SYS_URING_ENTER, self.fd, 1, 1, 1, None, 0)
        (head,) = struct.unpack_from("=I", self.completions, self.cq[0])
        (mask,) = struct.unpack_from("=I", self.completions, self.cq[2])
        _, result, _ = struct.unpack_from("=QiI", self.completions, self.cq[5] + 16 * (head & mask))
        struct.pack_into("=I", self.completions, self.cq[0], head + 1)
        assert result == size, result


def sender(way, end):
    """Sends bytes in this way."""
    buffer = ctypes.create_string_buffer(4096)
    address = ctypes.addressof(buffer)
    if way == "zerocopy":
        end.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        return lambda message: end.send(message, MSG_ZEROCOPY)
    if way == "sendfile":
        file = tempfile.TemporaryFile()

        def by_file(message):
            at = file.seek(0, os.SEEK_END)
            file.write(message)
            file.flush()
            os.sendfile(end.fileno(), file.fileno(), at, len(message))

        return by_file
    if way == "splice":
        out, into = os.pipe()

        def by_pipe(message):
            os.write(into, message)
            os.splice(out, end.fileno(), len(message))

        return by_pipe
    ring = Ring()
    opcode = OP_SEND
    if way == "uring-registered":
        vector = struct.pack("=QQ", address, len(buffer))
        call(SYS_URING_REGISTER, ring.fd, 0, vector, 1)
        opcode = OP_WRITE_FIXED

    def by_ring(message):
        ctypes.memmove(buffer, message, len(message))
        ring.submit(opcode, ASYNC if way == "uring-worker" else 0, end.fileno(), address, len(message))

    return by_ring


def request(end, send):
    context = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    send(f"GET / HTTP/1.1\r\nhost: x\r\ntraceparent: {context}\r\n\r\n".encode())
    while not end.recv(4096).endswith(b"\r\n\r\n"):
        pass
    print(context)


def ask(host, port, way, count):
    end = socket.create_connection((host, int(port)))
    send = sender(way, end)
    for i in range(int(count)):
        request(end, send if i % 2 else end.send)


def first(host, port, count):
    for _ in range(int(count)):
        with socket.create_connection((host, int(port))) as end:
            for _ in range(2):
                request(end, end.send)


def serve(host):
    listener = socket.create_server((host, 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 10)
    print(listener.getsockname()[1], flush=True)
    while True:
        end, _ = listener.accept()
        while end.recv(4096):
            end.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


{"ask": ask, "first": first, "serve": serve}[sys.argv[1]](*sys.argv[2:])
