"""Exports as annotation tools write them, and how they look once they are a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import yaml
from recordings import speckle

from hipseg.data.importers.exports import ExportOptions, import_export
from hipseg.data.importers.intake import Intake
from hipseg.data.manifest import Case, load_dataset, read_image, read_labels

HEIGHT, WIDTH = 72, 96
Labels = npt.NDArray[np.uint8]


def write_picture(path: Path, seed: int = 0) -> npt.NDArray[np.uint8]:
    """A picture of speckle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image_HW = speckle(HEIGHT, WIDTH, seed)
    cv2.imwrite(str(path), image_HW)
    return image_HW


def blocks(*boxes: tuple[int, int, int, int, int]) -> Labels:
    """A mask of boxes: id, top, bottom, left, right (behind the last pixel)."""
    labels_HW = np.zeros((HEIGHT, WIDTH), np.uint8)
    for id, top, bottom, left, right in boxes:
        labels_HW[top:bottom, left:right] = id
    return labels_HW


def write_mapping(path: Path, labels: Mapping[str, Any], **settings: Any) -> Path:
    """A mapping file."""
    path.write_text(yaml.safe_dump({"version": 1, "labels": dict(labels), **settings}))
    return path


def bring_in(source: Path, out: Path, labels: Mapping[str, Any] | None = None, **options: Any) -> Intake:
    """Imports an export, with a mapping where one is given."""
    settings = {key: options.pop(key) for key in ("empty", "occluded", "fraction") if key in options}
    if labels is not None:
        options["mapping_path"] = write_mapping(source.parent / "mapping.yaml", labels, **settings)
    return import_export(source, out, ExportOptions(**options))


def cases_by_id(out: Path) -> dict[str, Case]:
    """The cases of a data set whose files all have their checksums."""
    return {case.id: case for case in load_dataset(out, verify=True)[1]}


def labels_by_id(out: Path) -> dict[str, Labels | None]:
    """The masks of a data set."""
    return {id: read_labels(out, case) for id, case in cases_by_id(out).items()}


def images_by_id(out: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """The images of a data set."""
    return {id: read_image(out, case) for id, case in cases_by_id(out).items()}


def write_json(path: Path, content: object) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def reasons(intake: Intake) -> str:
    """All refusals in one text."""
    return "\n".join(f"{refusal.case}: {refusal.reason}" for refusal in intake.refused)


def assert_masks(out: Path, expected: Mapping[str, Labels | None]) -> None:
    """The data set holds exactly these masks."""
    found = labels_by_id(out)
    assert sorted(found) == sorted(expected)
    for id, labels_HW in expected.items():
        np.testing.assert_array_equal(found[id], labels_HW, err_msg=id)


def present(labels_HW: Labels | None) -> set[int]:
    """The ids in a mask."""
    assert labels_HW is not None
    return set(np.unique(labels_HW).tolist())


def only(items: Iterable[Any]) -> Any:
    """The one item there is."""
    (item,) = items
    return item
