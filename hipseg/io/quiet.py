"""Libraries that talk to the terminal are silenced while they work; what matters becomes an error or a warning."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from cv2.utils import logging as opencv_logging

_SILENT = 0
_STDERR = 2


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keeps OpenCV's log off the terminal inside the block."""
    level = opencv_logging.getLogLevel()
    opencv_logging.setLogLevel(_SILENT)
    try:
        yield
    finally:
        opencv_logging.setLogLevel(level)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keeps pydicom's remarks off the terminal inside the block: they may quote a header, which holds patient data."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def captured_stderr() -> Iterator[IO[bytes]]:
    """Catches what C libraries write to standard error inside the block (libjpeg inside GDCM knows no other way).

    Yields:
        The file that catches it, to be read before the block ends.
    """
    with TemporaryFile(buffering=0) as catcher:
        terminal = os.dup(_STDERR)
        os.dup2(catcher.fileno(), _STDERR)
        try:
            yield catcher
        finally:
            os.dup2(terminal, _STDERR)
            os.close(terminal)
