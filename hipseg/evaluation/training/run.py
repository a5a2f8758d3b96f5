"""One run of `hipseg benchmark training`."""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from hipseg.data.sources import CaseReader
from hipseg.errors import UsageError
from hipseg.evaluation.cost.timing import model_latencies
from hipseg.evaluation.latency.machine import machine, present_load
from hipseg.evaluation.training.cases import with_first_cases
from hipseg.evaluation.training.nnunet import NNUNET, train_nnunet
from hipseg.evaluation.training.setting import Setting
from hipseg.training.run_folder import versions

HIPSEG, BARE, PACE = "hipseg", "bare loop", "pace"
CONTESTANTS = (HIPSEG, "MONAI UNet", "nnU-Net-shaped")
_NUM_FRAMES, _NUM_IMAGES = 60, 16
_LONGEST_S, _TIMES_THE_BUDGET = 1800.0, 4.0


def benchmark_training(setting: Setting, command: str) -> dict[str, Any]:
    """Trains one after the other, each in a process of its own.

    Args:
        setting: the same for all.
        command: as it was typed.

    Returns:
        By contestant: images a second, peak memory, Dice over time, export latency; the pace against the bare loop;
        the reasons of those that could not take part.

    Raises:
        UsageError, SourceError: the data set lacks training or validation cases.
    """
    images = [CaseReader(setting.data, split).sample(0).image_HW for split in ("train", "val")]
    before, found, absent = machine(), {}, {}
    with tempfile.TemporaryDirectory(prefix="hipseg-training-") as temporary:
        folder = Path(temporary)
        same = with_first_cases(setting, folder / "cases")
        for name in (*CONTESTANTS, PACE):
            _say(name)
            answer = _in_own_process(name, same, folder)
            if "absent" in answer:
                absent[name] = answer["absent"]
            else:
                found[name] = answer
        pace = found.pop(PACE, None)
        _say(NNUNET)
        found[NNUNET] = train_nnunet(same, folder / "nnunet")
        if "absent" in found[NNUNET]:
            absent[NNUNET] = found.pop(NNUNET)["absent"]
        for name, latency_ms in _latencies(found, images, setting, folder).items():
            found[name]["latency_ms"] = latency_ms
    return {
        "command": command,
        "machine": {**before, "load_after": present_load()},
        "data": {"name": CaseReader(setting.data, "train").manifest.name, "folder": setting.data},
        "setting": dataclasses.asdict(setting),
        "contestants": found,
        "pace": None if pace is None else _pace(pace),
        "absent": absent,
        "versions": versions(("torch", "lightning", "monai", "pytorch-ignite", "onnxruntime", "numpy")),
    }


def _in_own_process(name: str, setting: Setting, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "hipseg.evaluation.training.worker", name, str(folder)]
    limit_s = _LONGEST_S + _TIMES_THE_BUDGET * setting.budget_s
    try:
        done = subprocess.run(
            command, input=json.dumps(dataclasses.asdict(setting)), capture_output=True, text=True, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return {"absent": f"not done after {limit_s / 60:.0f} minutes"}
    answer = folder / f"{name}.json"
    if not answer.exists():
        return {"absent": f"its process ended with {done.returncode}: {_last_line(done.stderr)}"}
    found: dict[str, Any] = json.loads(answer.read_text())
    if name == HIPSEG and "absent" in found:
        raise UsageError(found["absent"], where="hipseg's own training")
    return found


def _latencies(found: dict[str, Any], images: list[Any], setting: Setting, folder: Path) -> dict[str, dict[str, float]]:
    paths = {name: path for name in found if (path := folder / f"{name}.onnx").exists()}
    if not paths:
        return {}
    shown = list(islice(images * _NUM_IMAGES, _NUM_IMAGES))
    return model_latencies(paths, shown, num_frames=_NUM_FRAMES, num_threads=setting.num_threads)


def _pace(answer: dict[str, Any]) -> dict[str, Any]:
    """Rates by round, their medians, and what part of the bare loop's the trainer reaches."""
    rates = answer["pace"]
    ratios = [ours / bare for ours, bare in zip(rates[HIPSEG], rates[BARE], strict=True)]
    return {
        "images_per_s": {name: round(statistics.median(values), 2) for name, values in rates.items()},
        "rounds": {name: [round(value, 2) for value in values] for name, values in rates.items()},
        "share_of_bare_loop": round(statistics.median(ratios), 3),
        "peak_mib": round(answer["peak_mib"]),
    }


def _say(name: str) -> None:
    print(f"training: {name}", file=sys.stderr, flush=True)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing said"])[-1]
