"""The command line as a whole: verbs, exit codes, one line for every fault."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import typer

from hipseg import DISCLAIMER, __version__
from hipseg.cli.main import VERBS, execute
from hipseg.errors import ModelError, OutputError, SourceError, UsageError


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | None], None]:
    """Makes 'hipseg doctor' a verb that raises what it is told to."""

    def install(fault: BaseException | None) -> None:
        def doctor(times: int = typer.Option(1)) -> None:  # noqa: ARG001
            """Does what the test wants.

            Args:
                times: nothing.
            """
            if fault is not None:
                raise fault

        module = ModuleType("hipseg.cli.doctor")
        module.doctor = doctor  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "hipseg.cli.doctor", module)

    return install


def test_help_lists_every_verb_and_is_quick() -> None:
    command = [sys.executable, "-c", "from hipseg.cli.main import run; run()", "--help"]
    before = os.times()
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = os.times()
    assert all(name in shown for name in VERBS)
    assert DISCLAIMER in shown
    # Processor time, which a busy machine leaves as it is.
    spent_s = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent_s < 0.5


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from hipseg.cli.main import execute; execute(['--help']);"
        "heavy = {'numpy', 'cv2', 'onnxruntime', 'torch', 'omegaconf', 'hydra', 'av', 'pydicom'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"hipseg {__version__}"


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (None, 0, ""),
        (UsageError("odd", where="--spacing"), 2, "--spacing: odd"),
        (OutputError("in use", where="out"), 2, "out: in use"),
        (
            SourceError("broken", expected="a DICOM file", mend="try another"),
            3,
            "broken; expected a DICOM file; try another",
        ),
        (ModelError("changed"), 4, "changed"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (typer.Abort(), 130, "interrupted"),
        (typer.Exit(7), 7, ""),
        (ZeroDivisionError("by zero"), 1, "internal fault (ZeroDivisionError: by zero); run again with --debug"),
        (OSError(28, "No space left on device", "there"), 2, "the disk is full"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 2, "pip install 'hipseg[train]'"),
        (ModuleNotFoundError("No module named 'numpy'", name="numpy"), 1, "internal fault"),
        (RuntimeError("two\nlines"), 1, "two lines"),
    ],
    ids=repr,
)
def test_every_fault_is_one_line_and_an_exit_code(
    fault: BaseException | None,
    code: int,
    says: str,
    verb: Callable[[BaseException | None], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    verb(fault)
    assert execute(["doctor"]) == code
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == (1 if says else 0)


@pytest.mark.parametrize("arguments", [["--debug", "doctor"], ["doctor", "--debug"]])
def test_debug_shows_where_a_fault_came_from(
    arguments: list[str], verb: Callable[[BaseException | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(UsageError("odd"))
    assert execute(arguments) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["docter"], "Did you mean 'doctor'?"),
        (["doctor", "--tmies", "2"], "--times"),
        (["doctor", "--times", "many"], "valid integer"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_usage_is_refused_with_a_hint(
    arguments: list[str], says: str, verb: Callable[[BaseException | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(None)
    assert execute(arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert error.startswith("hipseg: ")


def test_a_verbs_help_ends_before_what_is_for_programmers(
    verb: Callable[[BaseException | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(None)
    assert execute(["doctor", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Does what the test wants." in shown
    assert "Args" not in shown
    assert DISCLAIMER in shown


def test_a_verb_that_is_not_installed_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hipseg.cli.doctor", None)
    assert execute(["doctor"]) == 2
    assert "no verb 'doctor'" in capsys.readouterr().err
