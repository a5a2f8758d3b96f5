"""Runs the variants one after the other, each command in a process of its own; what is done already stays done."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hipseg.evaluation.ablation.variants import Stage, Variant, stages

_ENTRY = "import sys; from hipseg.cli.main import run; sys.argv[0] = 'hipseg'; run()"
_INTERRUPTED = 130


def run_variants(
    variants: Sequence[Variant], datasets: Path, out: Path, *, split: str, overrides: Sequence[str] = ()
) -> Mapping[str, str]:
    """Trains, exports and evaluates every variant; one that fails leaves the others running.

    Args:
        variants, datasets, out, split, overrides: as for `variants.stages`.

    Returns:
        Why variants failed, by name; the others are done.

    Raises:
        KeyboardInterrupt: stopped on request. The same call goes on where it stopped.
    """
    failures = {}
    for variant in variants:
        print(f"{variant.name}: {variant.meaning}", file=sys.stderr, flush=True)
        for stage in stages(variant, datasets, out, split=split, overrides=overrides):
            if not stage.result.exists() and (reason := _run(stage)) is not None:
                failures[variant.name] = reason
                print(f"  failed: {reason}", file=sys.stderr, flush=True)
                break
    return failures


def _run(stage: Stage) -> str | None:
    """What a command has to say against itself, None when its result is there."""
    if stage.result.name == "summary.html" and not (stage.result.parent / "checkpoints" / "last.ckpt").exists():
        shutil.rmtree(stage.result.parent, ignore_errors=True)  # killed before there was anything to go on from
    done = subprocess.run([sys.executable, "-c", _ENTRY, *stage.arguments], capture_output=True, text=True, check=False)
    if done.returncode == _INTERRUPTED:
        raise KeyboardInterrupt
    if done.returncode == 0 and stage.result.exists():
        return None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return said[-1].removeprefix("hipseg: ") if said else f"ended with code {done.returncode}"
