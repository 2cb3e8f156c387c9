"""Announces a thread's table to the kernel program: writes its header to a connection of the process to itself.

The connection uses the C type that `socket.socket` extends, so no hook sees it. There is one for the
whole process, which stays open; each thread writes its own table's header to it, and again every 10 seconds,
because an agent may have started in the meantime. That happens just before a send, not on a separate thread:
only then is it needed, and a second thread would interfere with fork.
"""

import _socket
import _thread
import atexit
import os
import time

from .table import forget_announcement

INTERVAL = 10.0
_LOOPBACK = (("AF_INET", "127.0.0.1"), ("AF_INET6", "::1"))


class Loop:
    """A loopback connection of the process to itself. What is written to one end is read from the other and discarded."""

    def __init__(self, family, address):
        listener = _socket.socket(family, _socket.SOCK_STREAM)
        self._out = _socket.socket(family, _socket.SOCK_STREAM)
        try:
            listener.bind((address, 0))
            listener.listen(1)
            for waits in (listener, self._out):
                waits.settimeout(0.1)
            self._out.connect(listener.getsockname())
            fd, peer = listener._accept()
            self._in = _socket.socket(fileno=fd)
            if peer != self._out.getsockname():
                self._in.close()
                raise OSError("another process has connected")
        except OSError:
            self._out.close()
            raise
        finally:
            listener.close()
        self._names = self._out.getsockname(), self._out.getpeername()
        self._out.setblocking(False)
        self._in.setblocking(False)

    def _intact(self):
        """Whether the descriptors are still open: a program may close all that it does not know."""
        local, remote = self._names
        try:
            return (
                self._out.getsockname() == local
                and self._out.getpeername() == remote
                and self._in.getsockname() == remote
                and self._in.getpeername() == local
            )
        except OSError:
            return False

    def write(self, header):
        if not self._intact():
            raise OSError("the program has closed the descriptors")
        try:
            while self._in.recv(4096):
                pass
        except BlockingIOError:
            pass
        write(self._out, header)

    def close(self):
        """Closes both ends, unless their descriptors have been reused."""
        intact = self._intact()
        for end in (self._out, self._in):
            fd = end.detach()
            if intact:
                os.close(fd)


def write(end, header):
    """One send of the header, from the table's own memory."""
    if end.send(header) != len(header):
        raise OSError("part of the header was written")


_loop = None
_lock = _thread.RLock()
_busy = False


def _connection():
    global _loop
    for family, address in _LOOPBACK:
        if _loop is None:
            try:
                _loop = Loop(getattr(_socket, family), address)
            except (OSError, AttributeError):
                pass
    return _loop


def announce(table):
    """Announces the calling thread's table if that is due."""
    now = time.monotonic()
    if table.announced is not None and now - table.announced < INTERVAL:
        return
    with _lock:
        _announce(table, now)


def _announce(table, now):
    global _busy
    if _busy:
        return  # a signal handler that sends while its own thread is in this function: the next send announces
    _busy = True
    try:
        table.announced = now
        for _ in range(2):
            connection = _connection()
            if connection is None:
                return
            try:
                return connection.write(table.head)
            except OSError:
                _close()
    finally:
        _busy = False


def _close():
    global _loop
    loop, _loop = _loop, None
    if loop is not None:
        loop.close()


def _after_fork_in_child():
    global _lock, _busy
    # Another thread of the parent may have held the lock.
    _lock = _thread.RLock()
    _busy = False
    _close()
    forget_announcement()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_close)
