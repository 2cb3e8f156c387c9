"""Labels the bytes of TCP sockets with the active span, for the wirespan agent."""

__all__ = ["install"]


def install(current=None):
    """Labels what this process sends over TCP, until it ends. Does nothing if WIRESPAN_CORRELATE=off is set.

    `current()` returns the context that is active where it is called, as a tuple of trace id, span id and
    W3C flags, all integers, or None. By default it is that of OpenTelemetry's active span. Called again,
    it only replaces `current`.
    """
    # Not at the top: every Python process imports this package when it starts, and most do not use it.
    from .switch import off

    if not off():
        from . import hooks

        hooks.install(current or hooks.active_span)
