"""NRRD and NIfTI files as stacks of images; the only file that imports nrrd and nibabel."""

from __future__ import annotations

import functools
import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import numpy.typing as npt

from hipseg.errors import SourceError
from hipseg.io.file_kind import unreadable

NRRD_ENDINGS, NIFTI_ENDINGS = (".nrrd", ".nhdr"), (".nii", ".nii.gz")
VOLUME_ENDINGS = (*NRRD_ENDINGS, *NIFTI_ENDINGS)

_MAX_BYTES = 2 * 2**30
_HEADER_BYTES = 1 << 20
_LPS_OF = {"left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1), "right-anterior-superior": (-1, -1, 1),
           "ras": (-1, -1, 1), "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1)}  # fmt: skip
_TOLERANCE = 0.01
"""How far a segmentation's grid may be from the image's, in pixels."""

AffineIJK = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Volume:
    """A stack of images on a grid in space.

    Attributes:
        path: of its file.
        levels_LIJK: values by layer, column i, row j and slice k, as the file stores them.
        to_lps: 4 x 4, from indices to millimetres (left, posterior, superior); None where the file does not say.
        fields: the header's own fields, by name (NRRD only).
    """

    path: Path
    levels_LIJK: npt.NDArray[Any]
    to_lps: AffineIJK | None
    fields: Mapping[str, Any]

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """Pixel size of a slice as (row, column); None when unknown."""
        if self.to_lps is None:
            return None
        column, row = (float(np.linalg.norm(self.to_lps[:3, axis])) for axis in (0, 1))
        return (row, column) if min(row, column) > 0 else None


def is_volume(path: Path) -> bool:
    """Whether a file's name is that of a volume."""
    return path.name.lower().endswith(VOLUME_ENDINGS)


@functools.lru_cache(maxsize=3)
def read_volume(path: Path) -> Volume:
    """Reads a volume; the last ones are kept, for their slices are asked for one by one.

    Raises:
        SourceError: damaged, cut short, larger than 2 GiB, or of a shape that is no stack of grey images.
    """
    try:
        return _read_nrrd(path) if path.suffix.lower() in NRRD_ENDINGS else _read_nifti(path)
    except SourceError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise unreadable(path, error) from error
        raise _damaged(path, error) from error
    except MemoryError as error:
        raise SourceError("does not fit into memory", where=path) from error
    except Exception as error:  # both libraries raise whatever comes up
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> SourceError:
    return SourceError(f"cannot be read ({error})", where=path, mend="it is damaged or cut short: export it again")


def _read_nrrd(path: Path) -> Volume:
    fields = dict(nrrd.read_header(str(path)))
    sizes = [int(size) for size in fields["sizes"]]
    kind = str(fields["type"])
    _refuse_large(sizes, 8, path)
    _refuse_outside_data(fields, path)
    if "endian" not in fields and "8" not in kind and kind not in ("char", "signed char", "uchar", "unsigned char"):
        raise SourceError("field 'endian' is missing", where=path, expected=f"the byte order of {kind}")
    _refuse_bomb(fields, sizes, path)
    levels, _ = nrrd.read(str(path), index_order="F")
    return Volume(
        path, _layered(levels, [str(kind) for kind in fields.get("kinds", [])], path), _nrrd_affine(fields), fields
    )


def _refuse_outside_data(fields: Mapping[str, Any], path: Path) -> None:
    """A detached header names its data file: it may lie beside it, and nowhere else."""
    name = fields.get("data file") or fields.get("datafile")
    if name is not None and (not isinstance(name, str) or Path(name).name != name):
        raise SourceError(f"field 'data file' is {name!r}", where=path, expected="the name of a file beside it")


def _refuse_large(sizes: list[int], item_bytes: int, path: Path) -> None:
    if not sizes or min(sizes) < 1 or len(sizes) > 5:
        raise SourceError(f"field 'sizes' is {sizes}", where=path, expected="a stack of images")
    if np.prod(sizes, dtype=object) * item_bytes > _MAX_BYTES * 8:
        raise SourceError(f"field 'sizes' is {sizes}", where=path, expected=f"at most {_MAX_BYTES} values")


def _refuse_bomb(fields: Mapping[str, Any], sizes: list[int], path: Path) -> None:
    """pynrrd unpacks all there is: what is more than the header says is refused before."""
    if str(fields.get("encoding")) not in ("gzip", "gz") or "data file" in fields:
        return
    declared = int(np.prod(sizes)) * 8
    with path.open("rb") as file:
        while file.readline(_HEADER_BYTES) not in (b"\n", b"\r\n", b""):
            pass
        with gzip.GzipFile(fileobj=file) as packed:
            held = 0
            while piece := packed.read(1 << 20):
                held += len(piece)
                if held > declared:
                    raise SourceError(f"unpacks to more than {declared} bytes", where=path, expected=f"sizes {sizes}")


def _layered(levels: npt.NDArray[Any], kinds: list[str], path: Path) -> npt.NDArray[Any]:
    """Layer, column, row, slice: an axis that is not of space comes first in the files of 3D Slicer."""
    is_colour = levels.ndim > 2 and bool(kinds) and re.search("color|vector|point", kinds[0], re.IGNORECASE) is not None
    if is_colour and levels.shape[0] in (3, 4):
        levels = np.round(levels[:3].astype(np.float64).mean(axis=0))
        return _layered(levels, [], path)
    has_layers = levels.ndim == 4
    if levels.ndim == 2:
        levels = levels[..., None]
    if levels.ndim == 3 and not has_layers:
        levels = levels[None]
    if levels.ndim != 4:
        raise SourceError(f"an array of {levels.shape}", where=path, expected="images, or layers of them")
    return levels


def _nrrd_affine(fields: Mapping[str, Any]) -> AffineIJK | None:
    directions = fields.get("space directions")
    if directions is None:
        return _affine_of_spacings(fields.get("spacings"))
    vectors = [np.asarray(row, np.float64) for row in directions if row is not None and np.isfinite(row).all()]
    if not vectors or len(vectors[0]) != 3:
        return _affine_of_spacings([np.linalg.norm(vector) for vector in vectors] or None)
    affine = np.eye(4)
    for axis, vector in enumerate(vectors[:3]):
        affine[:3, axis] = vector
    origin = fields.get("space origin")
    if origin is not None and np.isfinite(origin).all():
        affine[:3, 3] = origin
    signs = _LPS_OF.get(str(fields.get("space", "left-posterior-superior")).lower(), (1, 1, 1))
    return np.asarray(np.diag([*signs, 1.0]) @ affine)


def _affine_of_spacings(spacings: Any) -> AffineIJK | None:
    finite = [float(spacing) for spacing in (spacings if spacings is not None else ()) if np.isfinite(spacing)]
    if len(finite) < 2:
        return None
    column, row, *depth = finite
    return np.diag([column, row, *(depth or [1.0])[:1], 1.0])


def _read_nifti(path: Path) -> Volume:
    image: Any = nibabel.load(path)
    _refuse_large([int(size) for size in image.shape], 8, path)
    levels = np.asanyarray(image.dataobj)
    if levels.dtype.names:  # colours are a record of three
        levels = np.round(np.mean([levels[name] for name in levels.dtype.names[:3]], axis=0))
    if levels.ndim == 4 and levels.shape[2] == 1:  # a clip stored along time
        levels = levels[:, :, 0]
    if levels.ndim == 2:
        levels = levels[..., None]
    if levels.ndim != 3:
        raise SourceError(f"an array of {levels.shape}", where=path, expected="an image or a stack of images")
    has_place = bool(image.header.get("qform_code", 1) or image.header.get("sform_code", 1))
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    return Volume(path, levels[None], to_lps if has_place else _affine_of_spacings(image.header.get_zooms()[:3]), {})


def slices_on_grid(levels_IJK: npt.NDArray[Any], label: Volume, image: Volume) -> npt.NDArray[Any]:
    """Label values on the image's own grid, [K, J, I] (slice, row, column), 0 where the labels do not reach.

    3D Slicer crops segmentations to their content, and other tools turn axes round: the two files agree in space,
    not in their indices.

    Raises:
        SourceError: the grids lie obliquely to each other, or between each other's pixels.
    """
    shape = image.levels_LIJK.shape[1:]
    if label.to_lps is None or image.to_lps is None:
        _refuse_other_shape(levels_IJK.shape, shape, label.path)
        return levels_IJK.transpose(2, 1, 0)
    matrix = np.linalg.inv(image.to_lps) @ label.to_lps
    turn, shift = np.rint(matrix[:3, :3]).astype(int), np.rint(matrix[:3, 3]).astype(int)
    is_turn = (np.abs(turn).sum(axis=0) == 1).all() and (np.abs(turn).sum(axis=1) == 1).all()
    reach = np.abs(matrix[:3, :3] - turn) @ np.array(levels_IJK.shape) + np.abs(matrix[:3, 3] - shift)
    if not is_turn or (reach > _TOLERANCE * max(1, *levels_IJK.shape) / 10 + _TOLERANCE).any():
        expected = f"the pixels of {image.path.name}"
        raise SourceError("lies on another grid than the image", where=label.path, expected=expected)
    return _placed(levels_IJK, turn, shift, shape, label.path)


def _refuse_other_shape(found: tuple[int, ...], expected: tuple[int, ...], path: Path) -> None:
    if found != expected:
        raise SourceError(f"labels of {found} pixels", where=path, expected=f"{expected} as the image")


def _placed(
    levels_IJK: npt.NDArray[Any], turn: npt.NDArray[Any], shift: npt.NDArray[Any], shape: tuple[int, ...], path: Path
) -> npt.NDArray[Any]:
    axes = np.abs(turn).argmax(axis=1)  # for each axis of the image the one of the labels
    signs = turn[np.arange(3), axes]
    turned = levels_IJK.transpose(axes)
    turned = turned[tuple(slice(None, None, -1) if sign < 0 else slice(None) for sign in signs)]
    lows = [int(shift[axis]) - (turned.shape[axis] - 1 if signs[axis] < 0 else 0) for axis in range(3)]
    highs = [low + size for low, size in zip(lows, turned.shape, strict=True)]
    if min(lows) < 0 or any(high > size for high, size in zip(highs, shape, strict=True)):
        what = f"labels at {lows} to {highs}"
        raise SourceError(what, where=path, expected=f"inside the image of {shape} pixels")
    placed = np.zeros(shape, levels_IJK.dtype)
    placed[tuple(slice(low, high) for low, high in zip(lows, highs, strict=True))] = turned
    return placed.transpose(2, 1, 0)


def grey_slice(volume: Volume, index: int) -> npt.NDArray[np.uint8]:
    """Slice `index` of a volume in grey, uint8 [H, W].

    Raises:
        SourceError: levels beyond 0-255, which could not be stored without loss.
    """
    image_HW = volume.levels_LIJK[0, :, :, index].T
    if image_HW.dtype != np.uint8:
        levels = np.asarray(image_HW, np.float64)
        if not np.isfinite(levels).all() or levels.min() < 0 or levels.max() > 255 or (levels != np.rint(levels)).any():
            what = f"levels of {levels.min():g} to {levels.max():g} on slice {index}"
            raise SourceError(what, where=volume.path, expected="whole grey levels 0-255", mend="convert it to 8 bits")
    return np.ascontiguousarray(image_HW, np.uint8)
