"""What a folder of studies holds, as clips that are opened one by one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clip:
    """One thing to process.

    Attributes:
        name: unique among its siblings and safe as a folder's name.
        spec: what `open_source` opens.
    """

    name: str
    spec: str


def list_clips(spec: str) -> list[Clip]:
    """The clips of a source: many in a folder of studies, one in anything else."""
    raise NotImplementedError
