"""How others augment: MONAI's transforms, once as its tutorials do and once with nnU-Net's choices."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from math import pi
from typing import Any

import torch
from monai.data.dataloader import DataLoader
from monai.data.dataset import Dataset

from hipseg.evaluation.training.cases import Picture
from hipseg.evaluation.training.setting import Setting

mt: Any = importlib.import_module("monai.transforms")  # it lists no names a type checker would see
_BOTH = ("image", "label")
_MODES = ("bilinear", "nearest")
_AS_FLOAT = (
    mt.EnsureTyped(_BOTH, dtype=torch.float32, track_meta=False),
    mt.ScaleIntensityRanged("image", a_min=0, a_max=255, b_min=0, b_max=1),
)


def tutorial_augmentation() -> Callable[[Any], Any]:
    """Flips, small affine changes, noise and contrast, as in MONAI's two-dimensional tutorials."""
    augmentation: Callable[[Any], Any] = mt.Compose(
        [
            *_AS_FLOAT,
            mt.RandFlipd(_BOTH, prob=0.5, spatial_axis=1),
            mt.RandAffined(_BOTH, prob=0.5, rotate_range=0.26, scale_range=0.2, mode=_MODES, padding_mode="zeros"),
            mt.RandGaussianNoised("image", prob=0.15, std=0.05),
            mt.RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.5)),
        ]
    )
    return augmentation


def nnunet_augmentation() -> Callable[[Any], Any]:
    """nnU-Net's transforms with its probabilities and ranges (Isensee et al. 2021, supplementary note 4)."""
    augmentation: Callable[[Any], Any] = mt.Compose(
        [
            *_AS_FLOAT,
            mt.RandAffined(_BOTH, prob=0.2, rotate_range=pi, mode=_MODES, padding_mode="zeros"),
            mt.RandAffined(_BOTH, prob=0.2, scale_range=(-0.3, 0.4), mode=_MODES, padding_mode="zeros"),
            mt.RandGaussianNoised("image", prob=0.1, std=0.06),
            mt.RandGaussianSmoothd("image", prob=0.2, sigma_x=(0.5, 1.0), sigma_y=(0.5, 1.0)),
            mt.RandScaleIntensityd("image", prob=0.15, factors=0.25),
            mt.RandScaleIntensityFixedMeand("image", prob=0.15, factors=0.25, preserve_range=True),
            mt.RandSimulateLowResolutiond("image", prob=0.25, zoom_range=(0.5, 1.0), upsample_mode="bilinear"),
            mt.RandAdjustContrastd("image", prob=0.1, gamma=(0.7, 1.5), invert_image=True, retain_stats=True),
            mt.RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.5), retain_stats=True),
            mt.RandFlipd(_BOTH, prob=0.5, spatial_axis=0),
            mt.RandFlipd(_BOTH, prob=0.5, spatial_axis=1),
        ]
    )
    return augmentation


def loader(pictures: Sequence[Picture], augmentation: Callable[[Any], Any], setting: Setting) -> DataLoader:
    """Shuffled batches of "image" float32 0-1 and "label"."""
    return DataLoader(
        Dataset(pictures, augmentation),
        batch_size=min(setting.batch_size, len(pictures)),
        shuffle=True,
        drop_last=True,
        num_workers=setting.num_workers,
        persistent_workers=setting.num_workers > 0,
    )
