"""Drawn hip views that a check has nothing against: skin above, an artery, a head with its echo, a needle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hipseg.data.records import DatasetManifest
from hipseg.data.writing import DatasetWriter

CLASSES = ("femoral_head", "needle", "femoral_artery")
TIP = (150.0, 70.0)
SPLITS = ["train", "train", "train", "train", "val", "val", "test", "test"]


def hip_scene(seed: int, height: int = 240, width: int = 320) -> tuple[np.ndarray, np.ndarray]:
    """An image of 0.2 mm pixels and its mask; every seed is another patient."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 1, (9, 12)).astype(np.float32)
    layers = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    image = 40 + 60 * layers + rng.normal(0, 8, (height, width))
    labels_HW = np.zeros((height, width), np.uint8)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    distance = np.hypot(columns - 230 - rng.integers(-9, 9), rows - 260)
    head = (distance < 110) & (distance > 88)
    image[distance < 110] = 10
    image[(distance < 112) & (distance > 104)] = 230
    labels_HW[head] = 1
    artery = np.hypot(columns - 60, rows - 100) < 18
    image[artery] = 15
    labels_HW[artery] = 5
    shaft = (np.abs((rows - TIP[1]) - 0.5 * (columns - TIP[0])) < 2) & (columns <= TIP[0]) & (columns > 60)
    image[shaft] = 200
    labels_HW[shaft] = 4
    return np.clip(image, 0, 255).astype(np.uint8), labels_HW


def write_hips(root: Path, *, splits: list[str] = SPLITS, **fields: Any) -> Path:
    """A data set of one scene a patient; `fields` of every case can be overridden."""
    with DatasetWriter(root, DatasetManifest("hips", CLASSES, licence="CC0-1.0", attribution="drawn")) as writer:
        for number, split in enumerate(splits):
            image_HW, labels_HW = hip_scene(number)
            values: dict[str, Any] = {
                "patient": f"person {chr(65 + number)}",
                "split": split,
                "device": ("alpha", "beta")[number % 2],
                "view": ("longitudinal", "transverse")[number // 2 % 2],
                "spacing_mm": (0.2, 0.2),
                "landmarks": {"needle_tip": TIP, "needle_entry": None, "head_neck_junction": None},
                "hip_view": True,
            }
            writer.add(id=f"case_{number}", image_HW=image_HW, labels_HW=labels_HW, **(values | fields))
    return root


def read_records(root: Path) -> list[dict[str, Any]]:
    """The lines of cases.jsonl."""
    return [json.loads(line) for line in (root / "cases.jsonl").read_text().splitlines()]


def write_records(root: Path, records: list[dict[str, Any]]) -> None:
    """Replaces cases.jsonl."""
    (root / "cases.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
