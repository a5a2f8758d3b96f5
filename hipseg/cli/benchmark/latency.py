"""`hipseg benchmark latency`: the speed of everything on this machine."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hipseg.evaluation.latency.chain import Chain


def latency(
    context: typer.Context,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Name on the shelf or a model file; may be given often.", show_default="the released model"),
    ] = None,
    all_models: Annotated[bool, typer.Option("--all-models", help="Every model on the shelf.")] = False,
    size: Annotated[
        list[str] | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="Of the frames; may be given often.", show_default="640x480"),
    ] = None,
    all_sizes: Annotated[bool, typer.Option("--all-sizes", help="640x480 to 1920x1080.")] = False,
    frames: Annotated[int, typer.Option(min=1, help="How many to measure, after a few to warm up.")] = 200,
    rate: Annotated[
        list[float] | None, typer.Option(help="Of a live source, frames a second.", show_default="15, 30 and 60")
    ] = None,
    live_seconds: Annotated[float, typer.Option(min=0.1, help="Of each live measurement.")] = 4.0,
    slow_network_ms: Annotated[
        float | None, typer.Option(min=1, help="Live: the network takes at least so long.", show_default=False)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the model.", show_default="physical cores")
    ] = None,
    provider: Annotated[str, typer.Option(help="Who computes.")] = "cpu",
    page: Annotated[Path | None, typer.Option(help="Write a page with plots, and its JSON beside it.")] = None,
) -> None:
    """Measure every stage from the file to the overlay, offline and live; prints one JSON object.

    Besides: cold start, memory, threads, two sessions at once, and which share of the machine the network uses.
    """
    from json import dumps

    from hipseg.evaluation.latency.benchmark import ALL_SIZES, RATES_HZ, LatencyRequest, benchmark_latency

    record = benchmark_latency(
        LatencyRequest(
            models=model or (),
            all_models=all_models,
            sizes=ALL_SIZES if all_sizes else [parse_size(each) for each in size or ["640x480"]],
            num_frames=frames,
            rates_hz=rate or RATES_HZ,
            live_s=live_seconds,
            num_threads=threads,
            provider=provider,
            slow_network_ms=slow_network_ms,
            command=command_of(context),
        ),
        whole_chain(),
    )
    if page is not None:
        from hipseg.evaluation.latency.page import latency_page

        latency_page(record).write(page, record)
    typer.echo(dumps(record, indent=2))


def whole_chain() -> Chain:
    """The stages of `hipseg infer`, with the overlay drawn and guidance on."""
    from hipseg.cli.pipeline import FrameWork, Pipeline
    from hipseg.evaluation.latency.chain import Chain
    from hipseg.guidance.config import GuidanceConfig

    return Chain(
        stages=lambda session, info: list(Pipeline(session, GuidanceConfig(), info, overlay=True).stages()),
        work_of=FrameWork,
    )


def command_of(context: typer.Context) -> str:
    """The command line of a benchmark with everything that was given."""
    positional = {each.name for each in context.command.params if each.param_type_name == "argument"}
    words = ["hipseg", "benchmark", str(context.info_name)]
    for key, value in context.params.items():
        flag = [] if key in positional else [f"--{key.replace('_', '-')}"]
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if each is not None and each is not False:
                words += flag if each is True else [*flag, str(each)]
    return shlex.join(words)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of "640x480". Raises UsageError unless both are 16 to 8192 pixels."""
    from hipseg.errors import UsageError

    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise UsageError(f"'{text}'", where="--size", expected="WIDTHxHEIGHT in pixels, 16 to 8192, e.g. 640x480")
    return width, height
