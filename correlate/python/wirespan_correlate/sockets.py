"""Which context the next bytes of a socket belong to, and writing it to the table before they are sent."""

import socket
import struct
import weakref
from operator import index

from .announce import announce
from .table import empty, numbers_of, own_table, slot_of

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_KEY = struct.Struct("=HH16s16s")

_current = None


def use(current):
    """Uses `current` to get the active context from now on."""
    global _current
    _current = current


def active():
    """The context that is active now; None if there is none or it is not valid."""
    try:
        context = _current()
        if context is not None:
            trace_id, span_id, flags = map(index, context)
            if 0 < trace_id < 1 << 128 and 0 < span_id < 1 << 64:
                return trace_id, span_id, flags
    except Exception:
        # An invalid result counts as no context; the application continues.
        pass
    return None


class Connection:
    """A connected TCP socket."""

    __slots__ = ("sock", "slot", "key", "numbers", "said", "where", "memories", "waiting")

    def __init__(self, sock):
        local, remote = sock.getsockname(), sock.getpeername()
        self.sock = weakref.ref(sock)
        self.slot = slot_of(local[1], remote[1])
        self.key = _KEY.pack(local[1], remote[1], _address(local[0]), _address(remote[0]))
        self.numbers = numbers_of(self.slot)
        # The context that was written last (None: no context), and the table's memory.
        self.said = None
        self.where = None
        # In the tables of all threads that have labelled it.
        self.memories = set()
        # If bytes of several writes are sent together: the contexts that the next send must name.
        self.waiting = None


# By descriptor, which is faster than by object; an entry is valid only if it still refers to the same socket.
_connections = {}


def _address(text):
    """16 bytes, IPv4 as ::ffff:a.b.c.d."""
    text = text.partition("%")[0]
    if ":" in text:
        return socket.inet_pton(socket.AF_INET6, text)
    return b"\0" * 10 + b"\xff\xff" + socket.inet_pton(socket.AF_INET, text)


def _is_tcp(sock):
    return sock.family in _INTERNET and sock.type == socket.SOCK_STREAM


def connection_of(sock, make):
    """The connection of a socket; None if it has none, or if it is new and `make` is false."""
    fd = sock.fileno()
    before = _connections.get(fd)
    if before is None:
        if not make:
            return None
    elif before.sock() is sock:
        return before
    connection = None
    if fd >= 0 and _is_tcp(sock):
        try:
            connection = Connection(sock)
        except OSError:
            pass  # not connected
    if connection is not None:
        if before is not None and before.key == connection.key:
            # A different object for the same connection, for example because TLS has begun.
            connection.said, connection.memories = before.said, before.memories
        _connections[fd] = connection
    elif before is not None:
        del _connections[fd]
    return connection


def label(sock):
    """Call this before bytes are written to `sock`: writes their context to the thread's table."""
    context = active()
    connection = connection_of(sock, True)
    if connection is None:
        return
    table = own_table()
    waiting = connection.waiting
    if waiting is None:
        holder = table.holders.get(connection.slot)
        if holder is connection and connection.where is table.memory:
            if context == connection.said:
                return
        elif context is None and connection.said is None and (holder is None or holder.key != connection.key):
            return  # nothing to end, here or in another thread's table
        contexts = (context,)
    elif waiting:
        contexts = tuple(waiting)
        waiting.clear()
    else:
        return
    announce(table)
    table.publish(connection, connection.slot, connection.key, connection.numbers, contexts)
    connection.said = contexts[-1]
    connection.where = table.memory
    connection.memories.add(table.memory)


def close(sock):
    """Call this before `sock` is closed: a later connection may have its addresses and ports."""
    connection = connection_of(sock, False)
    if connection is not None:
        del _connections[sock.fileno()]
        # Zeros may be written while another thread sends: any mixture of old and new bytes that it finds names no context.
        for memory in connection.memories:
            empty(memory, connection.slot, connection.key, connection.numbers)


class connecting:
    """Wraps a call of connect(): names its context, if one is active."""

    __slots__ = ("_table",)

    def __init__(self, sock):
        self._table = None
        context = active()
        if context is not None and _is_tcp(sock):
            table = own_table()
            announce(table)
            table.connecting(context)
            self._table = table

    def done(self):
        if self._table is not None:
            self._table.connecting(None)
