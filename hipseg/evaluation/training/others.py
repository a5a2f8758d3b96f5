"""The others: MONAI's UNet in MONAI's own loop, and a network and training in the shape that nnU-Net gives them."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import torch
from monai.inferers.inferer import SimpleInferer
from monai.losses.dice import DiceCELoss
from monai.networks.nets.dynunet import DynUNet
from omegaconf import OmegaConf
from torch import Tensor, nn

from hipseg.anatomy import NUM_CLASSES
from hipseg.configuration import config_folder
from hipseg.errors import UsageError
from hipseg.evaluation.training.cases import batches, has_unknown_labels, pictures, validate
from hipseg.evaluation.training.hipseg_side import MIXED, precision_of
from hipseg.evaluation.training.recipes import loader, nnunet_augmentation, tutorial_augmentation
from hipseg.evaluation.training.setting import Outcome, Setting, Watch
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.training.components import make

_ENDLESS = 1_000_000
_UNKNOWN = "what is ignored or not annotated was background to it"
_MONAI_RATE = 1e-3
_NNUNET_RATE, _NNUNET_CLIP, _NNUNET_POWER = 0.01, 12.0, 0.9


def train_monai(setting: Setting, folder: Path) -> tuple[Outcome, nn.Module]:
    """MONAI's residual UNet, its SupervisedTrainer (on ignite), Adam at 1e-3 with a cosine, Dice and cross entropy.

    Raises:
        UsageError: ignite, which MONAI's engines stand on, is not installed.
    """
    try:
        importlib.import_module("ignite")
    except ImportError as error:
        raise UsageError("MONAI's SupervisedTrainer needs ignite", mend="pip install pytorch-ignite") from error
    engines, events = importlib.import_module("monai.engines"), importlib.import_module("ignite.engine").Events
    network = make(OmegaConf.load(config_folder() / "model" / "monai_unet.yaml"), "model")  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(network.parameters(), _MONAI_RATE)
    course = _Course(setting, network, folder)
    engine = engines.SupervisedTrainer(
        device=course.device,
        max_epochs=_ENDLESS,
        train_data_loader=loader(course.pictures, tutorial_augmentation(), setting),
        network=network.to(course.device),
        optimizer=optimizer,
        loss_function=lambda channels, labels: _loss(channels[:, :NUM_CLASSES].float(), labels),
        inferer=_MixedInferer(course),
        decollate=False,
    )

    def step_done(engine: Any) -> None:
        _set_rate(optimizer, _MONAI_RATE * (1 + math.cos(math.pi * course.watch.progress)) / 2)
        if course.step_done():
            engine.terminate()

    engine.add_event_handler(events.ITERATION_COMPLETED, step_done)
    course.watch.run()
    engine.run()
    return course.outcome(), network


def train_nnunet_shaped(setting: Setting, folder: Path) -> tuple[Outcome, nn.Module]:
    """MONAI's DynUNet with deep supervision; nnU-Net's loss, augmentation, SGD and polynomial schedule."""
    network = ZScored(_dynunet(setting.grid_size))
    optimizer = torch.optim.SGD(network.parameters(), _NNUNET_RATE, momentum=0.99, nesterov=True, weight_decay=3e-5)
    course = _Course(setting, network, folder)
    network.to(course.device)
    loaded = loader(course.pictures, nnunet_augmentation(), setting)
    course.watch.run()
    while True:
        for batch in loaded:
            with course.mixed():
                heads_NHCSS = network(batch["image"].to(course.device))
            loss = deeply_supervised(heads_NHCSS[:, :, :NUM_CLASSES].float(), batch["label"].to(course.device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), _NNUNET_CLIP)
            optimizer.step()
            _set_rate(optimizer, _NNUNET_RATE * (1 - course.watch.progress) ** _NNUNET_POWER)
            if course.step_done():
                return course.outcome(), network


class ZScored(nn.Module):
    """Every image to mean 0 and standard deviation 1 before the network, as nnU-Net normalises."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image_N1SS: Tensor) -> Tensor:
        """The network's channels, in training one set for each resolution."""
        std_N111, mean_N111 = torch.std_mean(image_N1SS, dim=(1, 2, 3), keepdim=True)
        channels: Tensor = self.network((image_N1SS - mean_N111) / std_N111.clamp_min(1e-3))
        return channels


def deeply_supervised(heads_NHCSS: Tensor, labels_N1SS: Tensor) -> Tensor:
    """nnU-Net's loss: Dice over the batch without background and cross entropy, halved with each coarser head."""
    weights = [2.0**-head for head in range(heads_NHCSS.shape[1])]
    losses = [weight * _loss(heads_NHCSS[:, head], labels_N1SS) for head, weight in enumerate(weights)]
    return torch.stack(losses).sum() / sum(weights)


def _loss(channels_NCSS: Tensor, labels_N1SS: Tensor) -> Tensor:
    loss: Tensor = _DICE_CE(channels_NCSS, labels_N1SS)
    return loss


_DICE_CE = DiceCELoss(softmax=True, to_onehot_y=True, batch=True, include_background=False)


def _dynunet(grid_size: int) -> DynUNet:
    """Halved down to 8 cells, 32 to 512 channels, as nnU-Net plans a two-dimensional network."""
    levels = max(int(math.log2(grid_size)) - 2, 3)
    return DynUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=NUM_OUTPUT_CHANNELS,
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        filters=[min(32 * 2**level, 512) for level in range(levels)],
        deep_supervision=True,
        deep_supr_num=max(levels - 3, 1),
    )


class _Course:
    """One training of another's network: its pictures in memory, its precision, its watch and its validations."""

    def __init__(self, setting: Setting, network: nn.Module, folder: Path) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.pictures = pictures(setting, "train")
        self.watch = Watch(setting.budget_s, setting.num_validations)
        self._is_mixed = precision_of(setting, folder) == MIXED
        self._network, self._cases = network, list(batches(setting, "val"))
        self._batch_size = min(setting.batch_size, len(self.pictures))
        self._note = _UNKNOWN if has_unknown_labels(setting) else ""

    def mixed(self) -> torch.autocast:
        """The precision that hipseg computes in: what it gains is no merit of a network or a trainer."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._is_mixed)

    def step_done(self) -> bool:
        """Counts a step, validates when it is time. Returns whether that was the last one."""
        self.watch.trained(self._batch_size)
        is_over = self.watch.is_over
        if self.watch.is_due or is_over:
            self.watch.rest()
            self.watch.validated(*validate(self._network, self._cases, self.device))
            self.watch.run()
        return is_over

    def outcome(self) -> Outcome:
        """What it came to."""
        self.watch.rest()
        outcome = self.watch.outcome
        outcome.num_parameters = sum(parameter.numel() for parameter in self._network.parameters())
        outcome.note = self._note
        return outcome


class _MixedInferer(SimpleInferer):
    """MONAI's own mixed precision is for GPUs alone."""

    def __init__(self, course: _Course) -> None:
        super().__init__()
        self._course = course

    def __call__(self, inputs: Tensor, network: Any, *args: Any, **settings: Any) -> Tensor:
        """The network's channels."""
        with self._course.mixed():
            channels: Tensor = super().__call__(inputs, network, *args, **settings)
        return channels


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
