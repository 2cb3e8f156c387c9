"""asyncio's transports: what a full socket does not accept is sent later, together, outside the writers' contexts.

The callback that sends it runs in the context of the first write that was incomplete. So each write that
has to wait stores its own context, and the next send names them all.
"""

import functools

from .sockets import active, connection_of


def hook(selector_events):
    transport = selector_events._SelectorSocketTransport
    for name in ("write", "writelines"):
        # Before Python 3.12, writelines() belongs to the base class and calls write().
        if name in vars(transport):
            _around(transport, name)


def _around(transport, name):
    original = getattr(transport, name)

    @functools.wraps(original)
    def method(self, *args, **kwargs):
        try:
            _before(self)
        except Exception:
            pass
        result = original(self, *args, **kwargs)
        try:
            _after(self)
        except Exception:
            pass
        return result

    setattr(transport, name, method)


def _before(transport):
    connection = connection_of(transport._sock, False)
    if transport.get_write_buffer_size() == 0:
        if connection is not None:
            connection.waiting = None
    elif connection is not None and connection.waiting is not None:
        context = active()
        last = connection.waiting[-1] if connection.waiting else connection.said
        if context != last:
            connection.waiting.append(context)


def _after(transport):
    if transport.get_write_buffer_size() > 0:
        connection = connection_of(transport._sock, True)
        if connection is not None and connection.waiting is None:
            connection.waiting = []
