"""How many augmented samples a second reach a training, against other libraries doing the same work in the same run."""

from __future__ import annotations

import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from hipseg import __version__
from hipseg.data.augment import Augmentation, AugmentConfig
from hipseg.data.pixel_store import open_store
from hipseg.data.reading import load_dataset
from hipseg.data.records import DatasetManifest
from hipseg.data.sources import DiskSource
from hipseg.data.stream import SampleStream
from hipseg.data.writing import DatasetWriter
from hipseg.errors import UsageError
from hipseg.evaluation.loading_rivals import RIVALS, Pair

GRID_SIZE, BATCH_SIZE = 256, 16
_NUM_CASES, _HEIGHT, _WIDTH = 48, 480, 640
_WARM_UP_BATCHES = 4
_CPU_WARM_UP, _CPU_FRAMES = 8, 48
_MILLI = 1e3


def measure_loading(
    dataset: Path | None, augment: Mapping[str, Any], *, num_workers: int, num_batches: int, num_rounds: int
) -> dict[str, Any]:
    """Loads and augments with hipseg and with every rival that is installed, in turns.

    Args:
        dataset: its training split is loaded; None makes one of speckle, 480 x 640 pixels.
        augment: preset for hipseg; the rivals do what comes nearest to "strong".
        num_workers: processes; 0 loads in this one.
        num_batches: of 16 that are timed in a round.
        num_rounds: the median of them counts.

    Returns:
        Frames a second and processor time a frame by library, and milliseconds a case by store.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = dataset or _speckle_set(Path(folder) / "speckle")
        sets = _contenders(root, augment)
        rounds: dict[str, list[float]] = {name: [] for name in sets}
        for _ in range(num_rounds):
            for name, samples in sets.items():
                rounds[name].append(_frames_per_s(samples, num_workers, num_batches))
        return {
            "hipseg": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "grid": GRID_SIZE,
            "workers": num_workers,
            "frames": num_batches * BATCH_SIZE,
            "rounds": num_rounds,
            "frames_per_s": {name: round(statistics.median(values), 1) for name, values in rounds.items()},
            "cpu_ms_per_frame": {name: _cpu_ms(samples) for name, samples in sets.items()},
            "frames_per_s_rounds": {name: [round(value, 1) for value in values] for name, values in rounds.items()},
            "not_installed": sorted(set(RIVALS) - set(sets)),
            "store_ms_per_case": _store_figures(root),
        }


def _contenders(root: Path, augment: Mapping[str, Any]) -> dict[str, Dataset[Any]]:
    config = AugmentConfig.from_mapping(augment)
    source = DiskSource(root)
    source.prepare()
    stream = SampleStream({"disk": source}, {"disk": 1.0}, Augmentation(config), grid_size=GRID_SIZE, seed=0)
    samples = [source.reader.sample(index) for index in range(len(source.reader))]
    pairs = [(sample.image_HW, sample.labels_HW) for sample in samples]
    contenders: dict[str, Dataset[Any]] = {"hipseg": stream}
    for name, make in RIVALS.items():
        try:
            contenders[name] = _Rival(pairs, make(GRID_SIZE))
        except ModuleNotFoundError:
            continue
    return contenders


class _Rival(Dataset[dict[str, Any]]):
    """Decoded pairs through another library's transforms: it need not read files at all."""

    def __init__(self, pairs: Sequence[Pair], transform: Callable[[Pair], dict[str, Any]]) -> None:
        self._pairs, self._transform = pairs, transform

    def __getitem__(self, k: int) -> dict[str, Any]:
        return self._transform(self._pairs[k % len(self._pairs)])


def _frames_per_s(samples: Dataset[Any], num_workers: int, num_batches: int) -> float:
    total = num_batches + _WARM_UP_BATCHES
    batches = [list(range(start, start + BATCH_SIZE)) for start in range(0, total * BATCH_SIZE, BATCH_SIZE)]
    loader = DataLoader(samples, batch_sampler=batches, num_workers=num_workers, worker_init_fn=_one_thread)
    begin_s = 0.0
    for number, _ in enumerate(loader, start=1):
        if number == _WARM_UP_BATCHES:
            begin_s = time.perf_counter()
    return num_batches * BATCH_SIZE / (time.perf_counter() - begin_s)


def _cpu_ms(samples: Dataset[Any]) -> float:
    """Time of one core for one sample, which a busy machine changes less than the frames a second."""
    _one_thread(0)
    for k in range(_CPU_WARM_UP):
        samples[k]
    begin_s = time.process_time()
    for k in range(_CPU_FRAMES):
        samples[_CPU_WARM_UP + k]
    return round(_MILLI * (time.process_time() - begin_s) / _CPU_FRAMES, 2)


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _store_figures(root: Path) -> dict[str, float]:
    _, cases = load_dataset(root)
    train = [case for case in cases if case.split == "train"]
    figures = {}
    for name in ("none", "memory", "mapped"):
        try:
            store = open_store(root, train, store=name, longest_side=512, num_bytes=1 << 31)
        except UsageError:
            continue
        begin_s = time.perf_counter()
        for index in range(len(train)):
            store[index].image_HW[::8, ::8].sum()  # touches the pages
        figures[name] = round(_MILLI * (time.perf_counter() - begin_s) / len(train), 4)
    return figures


def _speckle_set(root: Path) -> Path:
    rng = np.random.default_rng(0)
    manifest = DatasetManifest("speckle", ("femoral_head", "femoral_artery"))
    with DatasetWriter(root, manifest) as writer:
        for number in range(_NUM_CASES):
            grain = cv2.GaussianBlur(rng.rayleigh(60, (_HEIGHT, _WIDTH)).astype(np.float32), (0, 0), 1.5)
            labels_HW = np.zeros((_HEIGHT, _WIDTH), np.uint8)
            cv2.ellipse(labels_HW, (320, 420), (160, 120), 0, 180, 360, 1, 30)
            cv2.circle(labels_HW, (int(rng.integers(80, 240)), 150), 36, 5, -1)
            writer.add(
                id=f"case_{number:03d}",
                image_HW=np.clip(grain, 0, 255).astype(np.uint8),
                labels_HW=labels_HW,
                patient=f"patient_{number:03d}",
                split="train",
                spacing_mm=(0.1, 0.1),
            )
    return root
