"""`hipseg benchmark latency`: the speed of a model on this machine."""

from __future__ import annotations

import re
from typing import Annotated

import typer


def latency(
    model: Annotated[
        str | None, typer.Option(help="Name on the shelf or a model file.", show_default="the released model")
    ] = None,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the frames, pixels.")] = "640x480",
    frames: Annotated[int, typer.Option(min=1, help="How many to measure, after a few to warm up.")] = 200,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the model.", show_default="physical cores")
    ] = None,
) -> None:
    """Measure every stage from a frame in memory to its overlay; prints one JSON object."""
    from json import dumps

    from hipseg.evaluation.latency import measure_latency
    from hipseg.runtime.models import DEFAULT_MODEL

    width, height = parse_size(size)
    figures = measure_latency(
        model or DEFAULT_MODEL, height=height, width=width, num_frames=frames, num_threads=threads
    )
    typer.echo(dumps(figures, indent=2))


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of "640x480". Raises UsageError unless both are 16 to 8192 pixels."""
    from hipseg.errors import UsageError

    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise UsageError(f"'{text}'", where="--size", expected="WIDTHxHEIGHT in pixels, 16 to 8192, e.g. 640x480")
    return width, height
