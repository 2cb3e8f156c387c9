"""Hooks the standard library's sockets: `label` runs before each call that writes."""

import functools
import socket
import sys

from . import asyncio_writes
from .imports import when_imported
from .sockets import close, connecting, label, use

_SOCKET = ("send", "sendall", "sendmsg", "sendto", "sendfile")
_TLS = ("send", "sendall", "write", "sendfile", "do_handshake", "unwrap")

_installed = False


def active_span():
    """The context of OpenTelemetry's active span, if the application has loaded its API."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    context = trace.get_current_span().get_span_context()
    return (context.trace_id, context.span_id, context.trace_flags) if context.is_valid else None


def install(current):
    """Installs the hooks, once, and sets the function that returns the active context."""
    global _installed
    use(current)
    if _installed:
        return
    _installed = True
    for name in _SOCKET:
        _before(socket.socket, name, label)
    # Called by close() once no file object made from the socket is open.
    _before(socket.socket, "_real_close", close)
    for name in ("connect", "connect_ex"):
        _around_connect(name)
    when_imported("ssl", lambda ssl: [_before(ssl.SSLSocket, name, label) for name in _TLS])
    when_imported("asyncio.selector_events", asyncio_writes.hook)


def _before(cls, name, hook):
    original = getattr(cls, name)

    @functools.wraps(original)
    def method(self, *args, **kwargs):
        try:
            hook(self)
        except Exception:
            pass  # unlabelled; the application's own call continues
        return original(self, *args, **kwargs)

    setattr(cls, name, method)


def _around_connect(name):
    original = getattr(socket.socket, name)

    @functools.wraps(original)
    def method(self, *args, **kwargs):
        try:
            named = connecting(self)
        except Exception:
            return original(self, *args, **kwargs)
        try:
            return original(self, *args, **kwargs)
        finally:
            named.done()

    setattr(socket.socket, name, method)
