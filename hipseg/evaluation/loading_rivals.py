"""Other libraries' transforms, set to the work of the preset "strong": flip, affine, elastic, crop and the looks.

Each makes from a decoded image and mask a float image and an integer mask of the grid's size. What a library does not
have (time gain, shadow, furniture, haze) it is spared; nothing here looks after landmarks, scale or partial labels.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
Transform = Callable[[Pair], dict[str, Any]]

_ROTATION_DEG, _SHEAR_DEG, _STRETCH, _CROP = 12.0, 6.0, 0.18, 0.22
_LOOK = 0.4


def albumentations_transform(size: int) -> Transform:
    """Plain albumentations."""
    A: Any = import_module("hipseg.data.augment").A
    steps = A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.Affine(
                rotate=(-_ROTATION_DEG, _ROTATION_DEG),
                shear={"x": (-_SHEAR_DEG, _SHEAR_DEG), "y": (0.0, 0.0)},
                scale={"x": (1 - _STRETCH, 1 + _STRETCH), "y": (1 - _STRETCH, 1 + _STRETCH)},
                p=0.7,
            ),
            A.ElasticTransform(alpha=30, sigma=8, p=0.2),
            A.CropAndPad(percent=(-_CROP, 0.06), keep_size=False, p=0.8),
            A.Resize(size, size, interpolation=3),
            A.MultiplicativeNoise(multiplier=(0.7, 1.3), elementwise=True, p=_LOOK),
            A.CoarseDropout(num_holes_range=(1, 3), hole_height_range=(0.3, 1.0), hole_width_range=(0.02, 0.1), p=0.2),
            A.OneOf([A.GaussianBlur(sigma_limit=(0.3, 1.5)), A.Sharpen(alpha=(0.1, 0.5))], p=_LOOK),
            A.RandomBrightnessContrast(p=_LOOK),
            A.RandomGamma(gamma_limit=(60, 165), p=_LOOK),
            A.RandomToneCurve(scale=0.15, p=_LOOK / 2),
            A.Downscale(scale_range=(0.5, 1.0), p=_LOOK / 3),
            A.ImageCompression(quality_range=(40, 95), p=_LOOK / 2),
        ]
    )

    def transform(pair: Pair) -> dict[str, Any]:
        done = steps(image=pair[0], mask=pair[1])
        image = torch.from_numpy(done["image"].astype(np.float32) / 255)[None]
        return {"image": image, "labels": torch.from_numpy(done["mask"].astype(np.int64))}

    return transform


def monai_transform(size: int) -> Transform:
    """MONAI's dictionary transforms."""
    m: Any = import_module("monai.transforms")
    both, modes = ["image", "labels"], ["bilinear", "nearest"]
    angle, shear = np.deg2rad(_ROTATION_DEG), np.tan(np.deg2rad(_SHEAR_DEG))
    steps = m.Compose(
        [
            m.ToTensord(both),
            m.ScaleIntensityRanged("image", 0, 255, 0, 1),
            m.RandFlipd(both, prob=0.5, spatial_axis=1),
            m.RandAffined(
                both,
                prob=0.7,
                rotate_range=angle,
                shear_range=(shear, 0.0),
                scale_range=(_STRETCH, _STRETCH),
                mode=modes,
                padding_mode="zeros",
            ),
            m.Rand2DElasticd(both, (60, 60), (1, 6), prob=0.2, mode=modes, padding_mode="zeros"),
            m.RandScaleCropd(both, roi_scale=1 - 2 * _CROP, max_roi_scale=1.0, random_size=True),
            m.Resized(both, (size, size), mode=["bilinear", "nearest"], anti_aliasing=[True, False]),
            m.RandGaussianNoised("image", prob=_LOOK, std=0.1),
            m.RandCoarseDropoutd("image", holes=3, spatial_size=(size // 2, size // 12), prob=0.2, fill_value=0),
            m.RandGaussianSmoothd("image", sigma_x=(0.3, 1.5), sigma_y=(0.3, 1.5), prob=_LOOK / 2),
            m.RandGaussianSharpend("image", prob=_LOOK / 2),
            m.RandAdjustContrastd("image", prob=_LOOK, gamma=(0.6, 1.65)),
            m.RandScaleIntensityd("image", factors=0.3, prob=_LOOK),
            m.RandHistogramShiftd("image", num_control_points=6, prob=_LOOK / 2),
        ]
    )

    def transform(pair: Pair) -> dict[str, Any]:
        done = steps({"image": pair[0][None], "labels": pair[1][None]})
        return {"image": torch.as_tensor(done["image"]), "labels": torch.as_tensor(done["labels"])[0].long()}

    return transform


def torchio_transform(size: int) -> Transform:
    """TorchIO, whose volumes are one slice deep here."""
    tio: Any = import_module("torchio")
    steps = tio.Compose(
        [
            tio.RandomFlip(axes=(1,), flip_probability=0.5),
            tio.RandomAffine(
                scales=(1 - _STRETCH, 1 + _STRETCH), degrees=(0, 0, 0, 0, -_ROTATION_DEG, _ROTATION_DEG), p=0.7
            ),
            tio.RandomElasticDeformation(num_control_points=(7, 7, 5), max_displacement=(8, 8, 0), p=0.2),
            tio.Resize((size, size, 1)),
            tio.RandomNoise(std=(0, 0.1), p=_LOOK),
            tio.RandomBlur(std=(0, 1.5), p=_LOOK / 2),
            tio.RandomGamma(log_gamma=(-0.5, 0.5), p=_LOOK),
        ]
    )

    def transform(pair: Pair) -> dict[str, Any]:
        image, labels = (torch.from_numpy(np.ascontiguousarray(array))[None, :, :, None] for array in pair)
        subject = tio.Subject(image=tio.ScalarImage(tensor=image.float() / 255), labels=tio.LabelMap(tensor=labels))
        done = steps(subject)
        return {"image": done.image.data[..., 0], "labels": done.labels.data[0, ..., 0].long()}

    return transform


RIVALS: dict[str, Callable[[int], Transform]] = {
    "monai": monai_transform,
    "albumentations": albumentations_transform,
    "torchio": torchio_transform,
}
