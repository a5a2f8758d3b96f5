"""The command that a benchmark's page prints is one that can be typed."""
# ruff: noqa: ARG001 (typer reads a command's parameters from its signature)

from __future__ import annotations

import shlex
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from hipseg.cli.benchmark.latency import command_of


@pytest.fixture
def app() -> typer.Typer:
    """A benchmark with every kind of parameter, which prints its command."""
    app = typer.Typer()

    @app.command()
    def training(
        context: typer.Context,
        data: str,
        settings: Annotated[list[str] | None, typer.Argument()] = None,
        max_minutes: float = 1.0,
        model: Annotated[list[str] | None, typer.Option()] = None,
        quick: bool = False,
        page: str | None = None,
    ) -> None:
        typer.echo(command_of(context))

    return app


def test_the_printed_command_says_the_same_again(app: typer.Typer) -> None:
    given = ["my data", "lr=1", "widths=[1, 2]", "--max-minutes", "3", "--model", "a", "--model", "b", "--quick"]
    first = CliRunner().invoke(app, given, prog_name="training").output.strip()
    words = shlex.split(first)
    assert words[:3] == ["hipseg", "benchmark", "training"]
    assert {"my data", "lr=1", "widths=[1, 2]", "--quick"} < set(words)
    assert CliRunner().invoke(app, words[3:], prog_name="training").output.strip() == first


def test_what_was_not_given_is_not_printed(app: typer.Typer) -> None:
    printed = CliRunner().invoke(app, ["data"], prog_name="training").output
    assert sorted(shlex.split(printed)) == sorted(["hipseg", "benchmark", "training", "data", "--max-minutes", "1.0"])
