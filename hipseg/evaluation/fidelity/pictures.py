"""The two samples that are compared: real pictures, and simulated ones of the same framing and content."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import FEMORAL_HEAD, IGNORED
from hipseg.data.importers.case import read_grey
from hipseg.data.manifest import load_dataset, read_image, read_labels
from hipseg.errors import SourceError
from hipseg.simulation import SimulationConfig, simulate_frame

ImageHW = npt.NDArray[np.uint8]
_SAME_SIZE_PX = 8
_ATTEMPTS = 8
_SPLIT_OF_TUNING = ("train", "val")


@dataclass(frozen=True, slots=True)
class Picture:
    """A B-mode picture of known scale.

    Attributes:
        id: of the case.
        image_HW: grey levels.
        labels_HW: ids of anatomy.py, 255 where unsure; None where nothing was drawn.
        spacing_mm: of its square pixels.
        group: the person; cross-validation keeps a group together.
        tuned_on: whether choices about the simulator were made on pictures of this group.
        known: structures that were looked for.
    """

    id: str
    image_HW: ImageHW
    labels_HW: npt.NDArray[np.uint8] | None
    spacing_mm: float
    group: str
    tuned_on: bool = False
    known: frozenset[str] = field(default_factory=frozenset)

    @property
    def shows_head(self) -> bool | None:
        """Whether a femoral head is drawn, None where nobody looked."""
        if self.labels_HW is None or "femoral_head" not in self.known:
            return None
        return bool((self.labels_HW == FEMORAL_HEAD).any())

    def mask(self, label: int) -> npt.NDArray[np.bool_]:
        """Where a structure surely is, [H, W]."""
        if self.labels_HW is None:
            return np.zeros(self.image_HW.shape, bool)
        return np.asarray(self.labels_HW == label)

    @property
    def unsure(self) -> npt.NDArray[np.bool_]:
        """Where the annotator was unsure, [H, W]."""
        return self.mask(IGNORED)


def real_pictures(folder: Path) -> list[Picture]:
    """The pictures of a data set whose scale is known.

    Args:
        folder: an imported data set, or the folder of the femoral images with their labels as published.

    Raises:
        SourceError: it is neither, or no picture has a scale.
    """
    if (folder / "manifest.json").is_file() or not (folder / "labels").is_dir():
        return _of_dataset(folder)
    from hipseg.configuration import config_folder
    from hipseg.data.importers.recipe import import_dataset, load_recipe

    with tempfile.TemporaryDirectory() as imported:
        import_dataset(load_recipe("femoral", config_folder() / "data" / "recipes"), folder, Path(imported) / "femoral")
        return _of_dataset(Path(imported) / "femoral")


def _of_dataset(folder: Path) -> list[Picture]:
    manifest, cases = load_dataset(folder)
    pictures = [
        Picture(
            id=case.id,
            image_HW=read_image(folder, case),
            labels_HW=read_labels(folder, case) if case.mask else None,
            spacing_mm=float(np.sqrt(case.spacing_mm[0] * case.spacing_mm[1])),
            group=case.patient,
            tuned_on=case.split in _SPLIT_OF_TUNING,
            known=frozenset(manifest.classes if case.annotated is None else case.annotated),
        )
        for case in cases
        if case.spacing_mm is not None
    ]
    if not pictures:
        raise SourceError("no picture has a scale", where=folder, expected="spacing_mm in cases.jsonl")
    return pictures


def unlabelled_pictures(folder: Path, labelled: Sequence[Picture]) -> list[Picture]:
    """Pictures of the same source without labels or scale.

    A picture takes the scale of the labelled ones of its size (within some pixels) when these agree, and is left out
    otherwise. It belongs to the person whose run of numbers ("run_120_129") its own number lies in.
    """
    runs = [(tuple(map(int, re.findall(r"\d+", one.group)[:2])), one) for one in labelled]
    found = []
    for path in sorted(folder.glob("*.jpg")) + sorted(folder.glob("*.png")):
        image_HW = read_grey(path)
        scales = {round(one.spacing_mm, 4) for one in labelled if _same_size(one.image_HW, image_HW)}
        number = int((re.findall(r"\d+", path.stem) or ["-1"])[-1])
        owner = next((one for span, one in runs if len(span) == 2 and span[0] <= number <= span[1]), None)
        if len(scales) == 1 and owner is not None:
            found.append(Picture(path.stem, image_HW, None, scales.pop(), owner.group, owner.tuned_on))
    return found


def _same_size(first_HW: ImageHW, second_HW: ImageHW) -> bool:
    return bool(np.abs(np.subtract(first_HW.shape, second_HW.shape)).max() <= _SAME_SIZE_PX)


def simulated_like(
    real: Sequence[Picture], config: SimulationConfig, *, seed: int, per_picture: int = 1
) -> Iterator[Picture]:
    """Simulated pictures, one person each, of the width, depth and pixel size of the real ones, in their order.

    Where it is known whether a real picture shows a head, so do its simulated partners: what is to be told apart is
    how pictures look, not whom they show.

    Args:
        real: the pictures to match.
        config: the population; its framing and build are replaced.
        seed: of all chance.
        per_picture: partners of each real picture.
    """
    for number, picture in enumerate(real):
        for copy in range(per_picture):
            rng = np.random.default_rng((seed, number, copy))
            yield _partner(picture, config, rng, f"simulated-{number}-{copy}")


def _partner(picture: Picture, config: SimulationConfig, rng: np.random.Generator, name: str) -> Picture:
    height, width = picture.image_HW.shape
    size_mm = tuple((length * picture.spacing_mm,) * 2 for length in (width, height))
    habitus = (0.1, 0.5) if picture.shows_head is False else (0.0, 0.4) if picture.shows_head else (0.0, 0.5)
    like = config.replace(
        aperture_mm=size_mm[0], depth_mm=size_mm[1], pixel_mm=(picture.spacing_mm,) * 2, habitus=habitus
    )
    for attempt in range(_ATTEMPTS):
        frame = simulate_frame(like, rng)
        shows_head = bool((frame.labels_HW == FEMORAL_HEAD).any())
        if picture.shows_head in (None, shows_head) or attempt == _ATTEMPTS - 1:
            break
    known = frozenset(("femoral_head", "femoral_artery", "femoral_vein", "anterior_capsule"))
    return Picture(name, frame.image_HW, frame.labels_HW, frame.spacing.row_mm, name, known=known)


def trimmed(picture: Picture, margin_mm: float = 1.3) -> ImageHW:
    """The image without its edge, where screens draw frames and ticks."""
    margin = max(round(margin_mm / picture.spacing_mm), 1)
    return picture.image_HW[margin:-margin, margin:-margin]


def at_scale(image_HW: ImageHW, spacing_mm: float, wanted_mm: float) -> ImageHW:
    """The image with pixels of another size."""
    factor = spacing_mm / wanted_mm
    if abs(factor - 1) < 0.005:
        return image_HW
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image_HW, None, fx=factor, fy=factor, interpolation=method), np.uint8)
