"""A stand-in for the kernel: reads the announced tables when the standard library sends, as docs/context-table.md specifies."""

import ctypes
import socket
import ssl
import struct
import threading

from wirespan_correlate import announce

_SO_COOKIE = 57
_RING = 7


def context_of(record):
    """A tuple of the two ids and the flags, None if the record is not valid."""
    if record[24] != 1:
        return None
    return int.from_bytes(record[:16], "big"), int.from_bytes(record[16:24], "big"), record[25]


def cookie_of(sock):
    """The kernel's number for a socket."""
    return sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8)


class Kernel:
    """`sends` holds for each send the socket's cookie, its new contexts and the one in force."""

    def __init__(self):
        self.reset()
        self._tables = {}
        self.announced = 0

    def reset(self):
        self.sends, self.connects = [], []
        self.overrun = self.torn = 0
        self._marks, self._newest = {}, {}

    def watch(self):
        """Call this before the hooks are installed, so that they run first."""
        for cls, names in (
            (socket.socket, ("send", "sendall", "sendmsg", "sendfile")),
            (ssl.SSLSocket, ("send", "sendall", "write", "do_handshake")),
        ):
            for name in names:
                self._see(cls, name, self.see_send)
        for name in ("connect", "connect_ex"):
            self._see(socket.socket, name, self._see_connect)
        write = announce.write

        def see_announcement(end, header):
            self._announce(header)
            write(end, header)

        announce.write = see_announcement

    def _see(self, cls, name, see):
        original = getattr(cls, name)

        def method(sock, *args, **kwargs):
            see(sock)
            return original(sock, *args, **kwargs)

        setattr(cls, name, method)

    def _announce(self, header):
        magic, size, slots, slot_size, flags = struct.unpack_from("=8sIIII", header)
        assert (magic, size, slot_size) == (b"WSNCTXT1", 64, 256) and len(header) == 64
        assert slots and slots <= 4096 and not slots & (slots - 1) and flags == 1
        address = ctypes.addressof(ctypes.c_char.from_buffer(header))
        self._tables[threading.get_native_id()] = address, slots
        self.announced += 1

    def forget(self):
        """As if an agent has just started: it knows no table."""
        self._tables.clear()

    def _see_connect(self, sock):
        table = self._tables.get(threading.get_native_id())
        if table is not None:
            self.connects.append(context_of(ctypes.string_at(table[0] + 36, 28)))

    def see_send(self, sock):
        table = self._tables.get(threading.get_native_id())
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
            return
        cookie = cookie_of(sock)
        fresh = self._read(sock, cookie, *table) if table else None
        if fresh is not None:
            self._newest[cookie] = fresh[-1] if fresh else None
        self.sends.append((cookie, fresh or [], self._newest.get(cookie)))

    def _read(self, sock, cookie, address, slots):
        """The valid new records; empty: the last context ends; None: it continues."""
        local, remote = sock.getsockname(), sock.getpeername()
        slot = (local[1] * 31 + remote[1]) & (slots - 1)
        content = ctypes.string_at(address + 64 + 256 * slot, 256)
        seq, local_port, remote_port, *addresses = struct.unpack_from("=IHH16s16s", content)
        if (local_port, remote_port) != (local[1], remote[1]):
            return []
        if addresses != [_mapped(local[0]), _mapped(remote[0])]:
            return []
        if seq & 1:
            self.torn += 1
            return []
        mark = self._marks.get(cookie)
        self._marks[cookie] = seq
        if seq == mark:
            return None
        (emptied,) = struct.unpack_from("=I", content, 236)
        since = [(seq - start) % (1 << 32) // 2 for start in (mark, emptied or None) if start is not None]
        new = min(since, default=_RING)
        writes = [(seq // 2 - back) % (1 << 31) for back in range(min(new, _RING), 0, -1)]
        contexts = [context_of(content[40 + 28 * (n % _RING) :][:28]) for n in writes]
        self.overrun += max(new - _RING, 0)
        return list(dict.fromkeys(context for context in contexts if context is not None))

    def labels(self):
        """The contexts of each socket, in order, by cookie."""
        labels = {}
        for cookie, fresh, _ in self.sends:
            labels.setdefault(cookie, []).extend(fresh)
        return {cookie: contexts for cookie, contexts in labels.items() if contexts}


def _mapped(text):
    text = text.partition("%")[0]
    if ":" in text:
        return socket.inet_pton(socket.AF_INET6, text)
    return socket.inet_pton(socket.AF_INET6, f"::ffff:{text}")
