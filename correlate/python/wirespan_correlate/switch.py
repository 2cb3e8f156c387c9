"""The off switch."""

import os


def off():
    """Whether WIRESPAN_CORRELATE=off is set."""
    return os.environ.get("WIRESPAN_CORRELATE", "").strip().lower() == "off"
