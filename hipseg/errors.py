"""The faults hipseg reports to its users, each with its exit code and a way to mend it.

The exit codes are part of the contract: 1 a fault in the software, 2 bad usage or configuration,
3 input that cannot be read or is not supported, 4 a model that cannot be loaded, 130 interrupted.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

EXIT_INTERRUPTED = 130


class HipsegError(Exception):
    """A fault with one message for the user.

    Args:
        what: what is wrong, as a sentence fragment that names what was found.
        where: the file, field or option at fault.
        expected: what would have been right.
        mend: what the user can do.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, where: str | Path | None = None, expected: str | None = None, mend: str | None = None
    ) -> None:
        self.what, self.where, self.expected, self.mend = what, where, expected, mend
        super().__init__(what)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where is not None else self.what
        parts = [head]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.mend:
            parts.append(self.mend)
        return "; ".join(" ".join(part.split()) for part in parts)


class UsageError(HipsegError, ValueError):
    """Wrong usage or configuration: an option, a key, a value, a combination of them."""

    exit_code = 2


class OutputError(HipsegError, OSError):
    """The place for the results cannot take them: not writable, in use, or full."""

    exit_code = 2

    # OSError has its own __str__ that ignores ours.
    __str__ = HipsegError.__str__


class SourceError(HipsegError, ValueError):
    """Input that cannot be read or is not supported."""

    exit_code = 3


class ModelError(HipsegError, ValueError):
    """A model that is missing, broken, changed since its release, or of an unknown contract."""

    exit_code = 4


def nearest_name(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name: the nearest known one, or the list of all when none is near."""
    candidates = sorted(known)
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(candidates)}"
