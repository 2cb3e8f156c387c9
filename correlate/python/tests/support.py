"""The hooks and, below them, the stand-in for the kernel; contexts that the tests choose."""

import contextlib
import contextvars
import secrets
import socket
import unittest

import wirespan_correlate

from .kernel import Kernel

_context = contextvars.ContextVar("context", default=None)

KERNEL = Kernel()
KERNEL.watch()
wirespan_correlate.install(_context.get)


def new_context(flags=1):
    return secrets.randbits(128) | 1, secrets.randbits(64) | 1, flags


@contextlib.contextmanager
def active(context):
    token = _context.set(context)
    try:
        yield context
    finally:
        _context.reset(token)


def pair(address="127.0.0.1", family=socket.AF_INET):
    """The two ends of a connection."""
    with socket.create_server((address, 0), family=family) as listener:
        client = socket.create_connection(listener.getsockname()[:2])
        server, _ = listener.accept()
    return client, server


class Case(unittest.TestCase):
    def same(self, found, meant):
        """Like assertEqual, which takes minutes to describe the difference between long lists."""
        if found != meant:
            parts = zip(found, meant) if isinstance(meant, list) else ((found.get(k), meant[k]) for k in meant)
            first = next((part for part in parts if part[0] != part[1]), None)
            self.fail(f"{len(found)} for {len(meant)}; the first that differs: {str(first)[:500]}")
