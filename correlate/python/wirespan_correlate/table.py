"""One thread's context table: docs/context-table.md, layout v1.

The table is read only when the thread that announced it sends (flag 1), so it is never read while it is
being written: a slot is written in one step, and no lock is needed.
"""

import itertools
import mmap
import struct
import threading

SLOTS = 1024
SLOT_SIZE = 256
RING = 7
HEADER_SIZE = 64
_CONNECTING = 36
_FLAG_OWN_THREAD = 1
_KEY = 4
_NUMBERS = 1 << 31  # a slot's u32 advances by two for each write

_HEADER = struct.pack("<8sIIII", b"WSNCTXT1", HEADER_SIZE, SLOTS, SLOT_SIZE, _FLAG_OWN_THREAD)
_SLOT_KEY = struct.Struct("36x")
_SLOT = struct.Struct("=I36s196sI16x")
_EMPTY = bytes(28)

def record(context):
    """The 28 bytes of a context, a tuple of trace id, span id and W3C flags as integers.

    None makes the record for bytes without a context.
    """
    if context is None:
        return _EMPTY
    trace_id, span_id, flags = context
    return trace_id.to_bytes(16, "big") + span_id.to_bytes(8, "big") + bytes((1, flags & 255, 0, 0))


def slot_of(local_port, remote_port):
    return (local_port * 31 + remote_port) & (SLOTS - 1)


# The number of the next write of each slot, the same for all threads: a socket that several threads
# write to has one slot, and its numbers only grow, whichever thread's table they are in.
_numbers = {}


def numbers_of(slot):
    return _numbers.setdefault(slot, itertools.count())


# Tables of threads that have ended. Their memory is never unmapped or used for anything else: a thread
# that Python no longer knows may still have it announced.
_spare = []


class Table:
    """A table in its own memory. `announced` is when it was last announced, in seconds, None if never."""

    __slots__ = ("memory", "head", "holders", "announced")

    def __init__(self):
        try:
            self.memory, held = _spare.pop()
            for slot in held:
                # Its number is kept, but no socket finds what the other thread wrote.
                _SLOT_KEY.pack_into(self.memory, HEADER_SIZE + slot * SLOT_SIZE + 4)
        except IndexError:
            # Private: a child has a copy, which only its own thread writes.
            self.memory = mmap.mmap(
                -1, HEADER_SIZE + SLOTS * SLOT_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            )
            self.memory[: len(_HEADER)] = _HEADER
        self.head = memoryview(self.memory)[:HEADER_SIZE]
        self.holders = {}
        self.announced = None

    # Bound here, because the module's own names are gone when the interpreter ends.
    def __del__(self, connecting=slice(_CONNECTING, HEADER_SIZE), empty=_EMPTY, spare=_spare):
        self.head[connecting] = empty
        spare.append((self.memory, tuple(self.holders)))

    def connecting(self, context):
        """Names the context of this thread's next connect(); None: no context."""
        self.head[_CONNECTING:] = record(context)

    def publish(self, holder, slot, key, numbers, contexts):
        """Writes the records for the next send of `holder`, the socket with this slot and key.

        The slot is emptied first: the numbers in between may belong to other threads' tables.
        """
        ring = [_EMPTY] * RING
        for context in contexts:
            number = next(numbers) % _NUMBERS
            ring[number % RING] = record(context)
        _fill(self.memory, slot, 2 * (number + 1), key, len(contexts), b"".join(ring))
        self.holders[slot] = holder


def empty(memory, slot, key, numbers):
    """Empties a slot of a table if it belongs to the connection with this key."""
    at = HEADER_SIZE + slot * SLOT_SIZE + _KEY
    if memory[at : at + len(key)] == key:
        _fill(memory, slot, 2 * (next(numbers) % _NUMBERS + 1), b"", 0, b"")


def _fill(memory, slot, seq, key, writes, ring):
    seq, emptied = (n % (2 * _NUMBERS) for n in (seq, seq - 2 * writes))
    _SLOT.pack_into(memory, HEADER_SIZE + slot * SLOT_SIZE, seq, key, ring, emptied)


_threads = threading.local()


def own_table():
    """The table of the calling thread."""
    try:
        return _threads.table
    except AttributeError:
        table = _threads.table = Table()
        return table


def forget_announcement():
    """Runs in a forked child, whose only thread has a copy of its table that has not been announced."""
    table = getattr(_threads, "table", None)
    if table is not None:
        table.announced = None
