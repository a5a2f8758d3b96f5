"""nnU-Net itself, in an environment of its own: it gets the data in its own format, and gives label images back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from hipseg.anatomy import CLASS_NAMES, NUM_CLASSES
from hipseg.evaluation.training.cases import Picture, batches, dice_of, pictures
from hipseg.evaluation.training.setting import Outcome, Setting
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.runtime.threads import usable_cores
from hipseg.training.metrics import ValidationTally

NNUNET = "nnU-Net"
_DATASET = "Dataset001_hip"
_WORKER = Path(__file__).with_name("nnunet_worker.py")
_LONGEST_S = 1800.0
_CERTAIN = 20.0
_NOTE = (
    "its own plan (batch, patch, augmentation) and precision (float32 on a CPU); last validation only; "
    "it exports nothing itself"
)


def train_nnunet(setting: Setting, folder: Path) -> dict[str, Any]:
    """Plans, preprocesses and trains with nnU-Net's own trainer for the same minutes.

    Returns:
        As `Outcome.to_dict`, or {"absent": the reason}.
    """
    if setting.nnunet_python is None:
        return {"absent": "no Python with nnU-Net was named: --nnunet-python ENVIRONMENT/bin/python"}
    validation = _write_dataset(setting, folder)
    command = [setting.nnunet_python, str(_WORKER), str(folder), str(setting.budget_s)]
    threads = str(setting.num_threads or usable_cores())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    workers = str(max(setting.num_workers, 1))  # its planner takes the number for PyTorch's threads too
    environment |= {"OMP_NUM_THREADS": threads, "nnUNet_n_proc_DA": workers}
    environment |= {f"nnUNet_{part}": str(folder / part) for part in ("raw", "preprocessed", "results")}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_LONGEST_S + 4 * setting.budget_s
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"absent": f"cannot be run ({error})"}
    if done.returncode:
        return {"absent": f"ended with {done.returncode}: {(done.stderr.strip().splitlines() or ['nothing said'])[-1]}"}
    answer = json.loads((folder / "answer.json").read_text())
    dice, score = _score(setting, folder / "predicted", len(validation))
    curve = [(answer["seconds"], score)]
    kept = {name: answer[name] for name in ("num_parameters", "num_images", "seconds", "peak_mib")}
    return Outcome(**kept, curve=curve, dice=dice, note=_NOTE).to_dict(setting.target_dice)


def _write_dataset(setting: Setting, folder: Path) -> list[Picture]:
    raw = folder / "raw" / _DATASET
    parts = {split: pictures(setting, split) for split in ("train", "val")}
    for place in ("imagesTr", "labelsTr"):
        (raw / place).mkdir(parents=True)
    names: dict[str, list[str]] = {"train": [], "val": []}
    for split, cases in parts.items():
        for number, case in enumerate(cases):
            name = f"{split}_{number:05d}"
            names[split].append(name)
            cv2.imwrite(str(raw / "imagesTr" / f"{name}_0000.png"), case["image"][0].numpy())
            cv2.imwrite(str(raw / "labelsTr" / f"{name}.png"), case["label"][0].numpy())
    description = {
        "channel_names": {"0": "ultrasound"},
        "labels": {class_name: id_ for id_, class_name in enumerate(CLASS_NAMES)},
        "numTraining": sum(map(len, names.values())),
        "file_ending": ".png",
    }
    (raw / "dataset.json").write_text(json.dumps(description))
    (folder / "splits.json").write_text(json.dumps([names]))
    return parts["val"]


def _score(setting: Setting, folder: Path, num_cases: int) -> tuple[dict[str, float], float]:
    tally = ValidationTally()
    paths = iter(sorted(folder.glob("*.png")))
    for batch in batches(setting, "val"):
        ids = [_read(next(paths)) for _ in batch["image"]]
        tally.add(_as_channels(np.stack(ids)), batch)
    assert next(paths, None) is None, f"{num_cases} cases and more label images"
    return dice_of(tally.figures())


def _read(path: Path) -> npt.NDArray[np.uint8]:
    ids_HW = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert ids_HW is not None
    return np.asarray(ids_HW, np.uint8)


def _as_channels(ids_NHW: npt.NDArray[np.uint8]) -> Tensor:
    """Labels as a network that is certain of them would give them."""
    one_hot_NHWC = functional.one_hot(torch.from_numpy(ids_NHW).long(), NUM_CLASSES)
    channels_NCHW = _CERTAIN * one_hot_NHWC.movedim(3, 1).float()
    return functional.pad(channels_NCHW, (0, 0, 0, 0, 0, NUM_OUTPUT_CHANNELS - NUM_CLASSES))
