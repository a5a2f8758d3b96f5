"""The `hipseg` command: finds the verb, runs it, and turns every fault into one line and an exit code."""

from __future__ import annotations

import errno
import importlib
import inspect
import sys
import traceback
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from hipseg import DISCLAIMER, __version__
from hipseg.errors import EXIT_INTERRUPTED, HipsegError, OutputError, UsageError

EXIT_FAULT = 1


class Verb(NamedTuple):
    """A verb as the overview lists it; its module is imported only when it is called."""

    summary: str
    panel: str


_CLINIC, _WORKSHOP = "For everyone", "With the training extra"

VERBS: dict[str, Verb] = {
    "infer": Verb("Segment a recording or a live source: overlay, records and alerts.", _CLINIC),
    "serve": Verb("Look at a live source and its guidance in a browser.", _CLINIC),
    "replay": Verb("Run guidance again on a recorded session, with other settings.", _CLINIC),
    "demo": Verb("Try hipseg on a simulated procedure, in under a minute.", _CLINIC),
    "models": Verb("List the models on the shelf.", _CLINIC),
    "doctor": Verb("Check this installation: versions, models, codecs.", _CLINIC),
    "simulate": Verb("Make labelled ultrasound of simulated procedures.", _WORKSHOP),
    "data": Verb("Import, check and describe data sets.", _WORKSHOP),
    "train": Verb("Train a network.", _WORKSHOP),
    "export": Verb("Turn a trained network into the one self-describing model file.", _WORKSHOP),
    "quantize": Verb("Make a model smaller, if it loses nothing and gains here.", _WORKSHOP),
    "evaluate": Verb("Measure a model on a data set, patient by patient.", _WORKSHOP),
    "compare": Verb("Compare models with a baseline, paired by case.", _WORKSHOP),
    "benchmark": Verb("Measure models, data and simulator.", _WORKSHOP),
}

TRAINING_EXTRA = frozenset(
    {"torch", "monai", "albumentations", "lightning", "hydra", "onnx", "onnxscript", "scipy", "safetensors", "joblib"}
    | {"tensorboard", "matplotlib", "pandas", "pyarrow", "skimage", "sklearn", "pycocotools", "nrrd", "nibabel"}
    | {"highdicom", "defusedxml", "jsonschema", "dicomanonymizer", "dask"}
)


class VerbGroup(TyperGroup):
    """Lists every verb from the table above and imports a verb's module only to run it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, verb in VERBS.items():
            self.add_command(TyperCommand(name, help=verb.summary, rich_help_panel=verb.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else load_verb(name), rest


def load_verb(name: str) -> Any:
    """Imports `hipseg.cli.<name>` and makes a command of its function (or typer application) of the same name.

    Raises:
        UsageError: this installation does not have the verb.
    """
    try:
        module = importlib.import_module(f"hipseg.cli.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"hipseg.cli.{name}":
            raise
        raise UsageError(f"this installation has no verb '{name}'", mend="see 'hipseg --help'") from error
    verb = getattr(module, name)
    if not isinstance(verb, typer.Typer):
        command, verb = verb, typer.Typer(add_completion=False)
        verb.command(name, help=_summary(command), epilog=DISCLAIMER)(command)
    return typer.main.get_command(verb)


def _summary(command: Any) -> str:
    """A docstring up to its Google-style sections, which are for programmers."""
    text = inspect.getdoc(command) or ""
    for section in ("\nArgs:", "\nReturns:", "\nRaises:"):
        text = text.split(section)[0]
    return text.strip()


app = typer.Typer(
    name="hipseg",
    cls=VerbGroup,
    epilog=DISCLAIMER,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hipseg {__version__}")
        raise typer.Exit


@app.callback()
def hipseg(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks; may stand anywhere on the line."),
) -> None:
    """Segmentation and guidance for ultrasound-guided hip joint injection."""


def run() -> None:
    """The console entry: runs the command line and leaves with the exit code of the contract."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: list[str]) -> int:
    """Runs one command line.

    Args:
        arguments: without the program's name; `--debug` is understood anywhere before a lone `--`.

    Returns:
        0 done, 1 a fault in the software, 2 bad usage, 3 bad input, 4 bad model, 130 interrupted.
    """
    debug, arguments = _take_debug(arguments)
    arguments = arguments or ["--help"]
    try:
        result = typer.main.get_command(app).main(args=arguments, prog_name="hipseg", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        result = EXIT_INTERRUPTED
    except Exception as error:
        return _refuse(*_explain(error), debug)
    if result == EXIT_INTERRUPTED:  # typer turns a KeyboardInterrupt into this result
        return _refuse("interrupted; everything written so far is whole", EXIT_INTERRUPTED, debug)
    return result if isinstance(result, int) else 0


def _take_debug(arguments: list[str]) -> tuple[bool, list[str]]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(kept) < end, kept + arguments[end:]


def _explain(error: Exception) -> tuple[str, int]:
    """One line and an exit code for whatever went wrong."""
    if isinstance(error, HipsegError):
        return str(error), error.exit_code
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in TRAINING_EXTRA:
        return f"this needs the training extra ('{error.name}' is missing); pip install 'hipseg[train]'", 2
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"{error.filename or 'output'}: the disk is full; make room and run again", OutputError.exit_code
    if hasattr(error, "format_message"):  # every usage error of typer's parser has it
        return f"{error.format_message().rstrip('.')}; see 'hipseg --help'", UsageError.exit_code
    return f"internal fault ({type(error).__name__}: {error}); run again with --debug and report it", EXIT_FAULT


def _refuse(message: str, exit_code: int, debug: bool) -> int:
    if debug and sys.exc_info()[0] is not None:
        traceback.print_exc()
    print(f"hipseg: {' '.join(message.split())}", file=sys.stderr)
    return exit_code
