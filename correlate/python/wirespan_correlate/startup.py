"""Imported by every Python process of an environment that has this wheel: see wirespan_correlate.pth.

Costs next to nothing until the application imports OpenTelemetry's API; before that there is no span.
"""

from . import install
from .imports import when_imported
from .switch import off

if not off():
    when_imported("opentelemetry.trace", lambda _: install())
