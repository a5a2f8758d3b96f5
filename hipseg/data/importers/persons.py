"""Who is who in an export, and how nobody is named in the data set."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from hipseg.data.importers.drawing import SourceCase
from hipseg.data.importers.source_files import safe_id
from hipseg.data.splits import consecutive_runs
from hipseg.errors import OutputError, SourceError
from hipseg.io.writing import write_atomically

SALT_VARIABLE = "HIPSEG_SALT"
_SHORTEST_NAME = 3


def load_salt() -> bytes:
    """The secret that pseudonyms are made with: the same person gets the same one in every import of this user.

    It is $HIPSEG_SALT, or a random one that is kept among the user's own settings and never in a data set: without
    it nobody can try names until a pseudonym fits.

    Raises:
        OutputError: a new one cannot be kept.
    """
    if given := os.environ.get(SALT_VARIABLE):
        return given.encode()
    path = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "hipseg" / "salt"
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            mend = f"set {SALT_VARIABLE} to a secret of your own"
            raise OutputError(f"cannot be made ({error.strerror})", where=path.parent, mend=mend) from error
        write_atomically(path, secrets.token_hex(32).encode())
        path.chmod(0o600)
    return path.read_bytes()


def pseudonym(person: str, salt: bytes) -> str:
    """A person's name in data sets: a salted hash, the same for the same person and salt."""
    key = hashlib.sha256(salt).digest()
    return f"p_{hashlib.blake2b(person.strip().encode(), key=key, digest_size=6).hexdigest()}"


def patients_of(cases: Sequence[SourceCase], pattern: str | None, salt: bytes) -> list[str]:
    """The patient of each case: a pseudonym where the export or `pattern` tells the person, else a group.

    Cases of nobody known are grouped by clip, and lone pictures by folder, name and runs of consecutive numbers.

    Args:
        cases: in order.
        pattern: regular expression whose first group is the person in a case's name; it goes before the export.
        salt: from `load_salt`.

    Raises:
        SourceError: the pattern finds nobody in a case's name.
    """
    persons = [_person(case, pattern) for case in cases]
    groups = _groups([case for case, person in zip(cases, persons, strict=True) if person is None])
    return [
        groups[_recording(case)] if person is None else pseudonym(person, salt)
        for case, person in zip(cases, persons, strict=True)
    ]


def ids_of(cases: Sequence[SourceCase], pattern: str | None, salt: bytes) -> list[str]:
    """A unique id for each case, made of its name, with persons replaced by their pseudonyms."""
    taken: dict[str, int] = {}
    ids = []
    for case in cases:
        id = _without_names(case, pattern, salt)
        taken[id.casefold()] = taken.get(id.casefold(), 0) + 1
        ids.append(id if taken[id.casefold()] == 1 else f"{id}_{taken[id.casefold()]}")
    return ids


def _without_names(case: SourceCase, pattern: str | None, salt: bytes) -> str:
    """A case's name as an id in which nobody is named."""
    name, person = case.name, _person(case, pattern)
    words = {word for text in case.private for word in re.split(r"[\W\d_]+", text)}
    hidden = {*case.private, *words, *([person] if person else [])}
    for text in sorted(hidden, key=len, reverse=True):
        if len(text) >= _SHORTEST_NAME or (pattern is not None and text == person):
            name = re.sub(re.escape(text), pseudonym(person or text, salt), name, flags=re.IGNORECASE)
    return safe_id(name)


def _person(case: SourceCase, pattern: str | None) -> str | None:
    if pattern is None:
        return case.person
    found = re.search(pattern, case.name)
    if found is None or not found.groups() or found.group(1) is None:
        expected = f"a match of '{pattern}' with a group"
        raise SourceError("nobody is found in this name", where=case.name, expected=expected)
    return found.group(1)


def _recording(case: SourceCase) -> tuple[str, int]:
    """The clip of a case, or the folder and name of a lone picture and its number."""
    if case.clip is not None:
        return f"clip {case.clip}", 0
    stem, digits = _split_number(case.name)
    return f"name {stem}", digits


def _split_number(name: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*?)(\d{1,18})(\D*)", name, flags=re.DOTALL)
    return (f"{found.group(1)}#{found.group(3)}", int(found.group(2))) if found else (name, 0)


def _groups(cases: Sequence[SourceCase]) -> dict[tuple[str, int], str]:
    """A group for each recording: consecutive numbers under one name are one."""
    recordings = sorted({_recording(case) for case in cases})
    groups: dict[tuple[str, int], str] = {}
    count = 0
    for stem, members in groupby(recordings, key=lambda recording: recording[0]):
        numbers = [number for _, number in members]
        runs = consecutive_runs(numbers)
        for number, run in zip(numbers, runs, strict=True):
            groups[stem, number] = f"group_{count + run:04d}"
        count += runs[-1] + 1
    return groups
