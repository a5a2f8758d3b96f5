"""From what a user names to an open source of frames."""

from __future__ import annotations

from hipseg.io.source import Source, SourceOptions


def open_source(spec: str, options: SourceOptions = SourceOptions()) -> Source:  # noqa: B008
    """Opens a source of frames."""
    raise NotImplementedError
