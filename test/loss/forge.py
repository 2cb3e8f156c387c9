"""Context tables that claim other sockets: what this program sends shows which messages are labelled legitimately.

forge.py flood COUNT: announces COUNT tables, two thirds of them malformed, whose slots name another process's connection, while that sends.
forge.py exec: announces a table, sends 10 labelled messages, and executes another program, which has the same bytes at the same address.
forge.py reuse: the same with a process that ends, and another one that then gets its pid. Needs its own pid namespace.
Prints as JSON the messages that it labelled, and the ports of the connection: `own`, `ports`.
"""
import ctypes
import json
import mmap
import os
import socket
import struct
import subprocess
import sys
import threading

SLOTS, HEADER, SLOT = 16, 64, 256
# An address that is free in every 64-bit process.
ADDRESS = 0x200000000000
MESSAGES = 10

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def header(slots=SLOTS, slot=SLOT):
    return struct.pack("<8sIIII40x", b"WSNCTXT1", HEADER, slots, slot, 0)


class Table:
    """A table, mapped at the same address in every process."""

    def __init__(self):
        size, fixed = HEADER + SLOTS * SLOT, 0x100000
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | fixed
        at = libc.mmap(ADDRESS, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        assert at == ADDRESS, at
        self.memory = (ctypes.c_char * size).from_address(ADDRESS)
        # The last slot spans two pages, neither of which the kernel can read before it has been written.
        self.memory[:] = bytes(size)
        self.memory[:HEADER] = header()

    def announce(self):
        """Announces over a connection to itself, which stays open."""
        self.ends = pair()
        self.ends[0].sendall(memoryview(self.memory)[:HEADER])

    def name(self, ports, number, ids):
        local, peer = ports
        at = HEADER + ((local * 31 + peer) & (SLOTS - 1)) * SLOT
        address = bytes(10) + b"\xff\xff\x7f\0\0\1"
        key = struct.pack("<HH16s16s", local, peer, address, address)
        record = at + 40 + number % 7 * 28
        self.memory[record : record + 28] = ids + b"\1\1\0\0"
        self.memory[at : at + 40] = struct.pack("<I", 2 * number + 2) + key


def pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


def ports_of(sock):
    return sock.getsockname()[1], sock.getpeername()[1]


def send(table, sock, first):
    """Sends `MESSAGES` messages, each with a new label; returns the labels."""
    own = []
    for number in range(first, first + MESSAGES):
        ids = os.urandom(24)
        table.name(ports_of(sock), number, ids)
        sock.sendall(b"x" * 32)
        own.append(f"00-{ids[:16].hex()}-{ids[16:].hex()}-01")
    return own


def say(own, sock):
    print(json.dumps({"own": own, "ports": ports_of(sock)}), flush=True)


def flood(count):
    victim = [sys.executable, "-B", __file__, "victim"]
    table = Table()
    near, far = pair()
    threading.Thread(target=lambda: [None for _ in iter(lambda: far.recv(1 << 16), b"")], daemon=True).start()
    with subprocess.Popen(victim, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        ports = json.loads(other.stdout.readline())
        for number, ids in enumerate((b"\xee" * 24, b"\xef" * 24)):
            table.name(ports, number, ids)
            table.name(ports[::-1], number, ids)
        for i in range(count):
            kind = i % 3
            table.memory[:HEADER] = header(SLOTS if kind != 1 else i * 7, SLOT if kind != 2 else i)
            near.sendall(memoryview(table.memory)[:HEADER])
        other.stdin.close()
        print(json.dumps({"own": [], "ports": ports}), flush=True)
    near.close()


def be_victim():
    near, far = pair()
    print(json.dumps(ports_of(near)), flush=True)
    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    while not done.wait(0.001):
        near.sendall(b"x" * 32)
        far.sendall(far.recv(64))
        near.recv(64)


def begin_exec():
    near, far = pair()
    table = Table()
    table.announce()
    say(send(table, near, 0), near)
    for sock in (near, far):
        sock.set_inheritable(True)
    os.execv(sys.executable, [sys.executable, "-B", __file__, "after", str(near.detach()), str(far.detach())])


def go_on(descriptor):
    """Sends without announcing a table."""
    send(Table(), socket.socket(fileno=int(descriptor)), MESSAGES)


def reuse():
    near, far = pair()
    first = os.fork()
    if not first:
        table = Table()
        table.announce()
        say(send(table, near, 0), near)
        os._exit(0)
    os.waitpid(first, 0)
    with open("/proc/sys/kernel/ns_last_pid", "w") as last:
        last.write(str(first - 1))
    second = os.fork()
    if not second:
        send(Table(), near, MESSAGES)
        os._exit(0)
    assert second == first, (first, second)
    os.waitpid(second, 0)


modes = {"flood": lambda count: flood(int(count)), "victim": be_victim, "exec": begin_exec, "after": lambda d, _: go_on(d)}
modes["reuse"] = reuse
modes[sys.argv[1]](*sys.argv[2:])
