"""`hipseg benchmark peers`: the same frames and network through other people's software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def peers(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option(help="Name on the shelf or a model file.", show_default="the released model")
    ] = None,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the frames, pixels.")] = "640x480",
    frames: Annotated[int, typer.Option(min=5, help="That each is timed on.")] = 100,
    threads: Annotated[int | None, typer.Option(min=1, help="Of each.", show_default="physical cores")] = None,
    fast_python: Annotated[
        Path | None,
        typer.Option(help="Python of an environment with pyfast; FAST is left out without.", show_default=False),
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Write a page with plots, and its JSON beside it.")] = None,
) -> None:
    """Compare with onnxruntime, OpenVINO, MONAI with PyTorch, and FAST, frame about frame; prints one JSON object.

    Who is not installed is left out, with the reason.
    """
    from json import dumps

    from hipseg.cli.benchmark.latency import command_of, parse_size, whole_chain
    from hipseg.evaluation.peers.run import PeersRequest, benchmark_peers
    from hipseg.runtime.models import DEFAULT_MODEL

    request = PeersRequest(model or DEFAULT_MODEL, parse_size(size), frames, threads, fast_python, command_of(context))
    record = benchmark_peers(request, whole_chain())
    if page is not None:
        from hipseg.evaluation.peers.page import peers_page

        peers_page(record).write(page, record)
    typer.echo(dumps(record, indent=2))
