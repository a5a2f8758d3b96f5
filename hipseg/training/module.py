"""The Lightning module: a network, its loss, its optimizer, and what validation measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from hipseg.errors import UsageError
from hipseg.models.recurrent import run_clip
from hipseg.training.broken_batch import save_broken_batch
from hipseg.training.metrics import Figure, ValidationTally

OptimizerMaker = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]
SchedulerMaker = Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]


class SegmentationTask(LightningModule):
    """Trains a network of `models.outputs` channels on batches of `data.stream.Batch`.

    Args:
        network: [N, 1, S, S] to [N, NUM_OUTPUT_CHANNELS, S, S]; of clips every frame is trained on.
        loss: of the network's output and a batch; gives terms by name, "loss" among them.
        make_optimizer: from parameter groups.
        make_scheduler: from the optimizer; stepped after every optimizer step.

    Attributes:
        figures: of the latest validation, by name.
        broken_batch: where a batch is saved whose loss is not finite, None nowhere.
    """

    def __init__(
        self, network: nn.Module, loss: nn.Module, make_optimizer: OptimizerMaker, make_scheduler: SchedulerMaker
    ) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        self._make_optimizer, self._make_scheduler = make_optimizer, make_scheduler
        self._tally = ValidationTally()
        self.figures: dict[str, Figure] = {}
        self.broken_batch: Path | None = None

    def forward(self, image: Tensor) -> Tensor:
        """The network's channels of images [N, 1, S, S], or of every frame of clips [N, T, 1, S, S]: [N * T, ...]."""
        channels: Tensor = self.network(image) if image.ndim == 4 else run_clip(self.network, image).flatten(0, 1)
        return channels

    def training_step(self, batch: Mapping[str, Tensor], _batch_index: int) -> dict[str, Tensor]:
        """The loss terms of one batch, in float32. Raises UsageError when the loss is not a number any more."""
        channels_NCHW, batch = self(batch["image"]), single_frames(batch)
        with full_precision(channels_NCHW):
            terms: dict[str, Tensor] = self.loss(channels_NCHW.float(), batch)
        if not torch.isfinite(terms["loss"]):
            raise self._diverged(batch, {name: term.item() for name, term in terms.items()})
        return {name: term if name == "loss" else term.detach() for name, term in terms.items()}

    def _diverged(self, batch: Mapping[str, Tensor], terms: Mapping[str, float]) -> UsageError:
        """The error of a loss that is infinite or not a number, its batch saved for inspection."""
        shown = ", ".join(f"{name} {value:.3g}" for name, value in terms.items())
        saved = ""
        if self.broken_batch is not None:
            path = self.broken_batch.with_stem(f"{self.broken_batch.stem}_{self.global_rank}")
            saved = f"; its batch is in {path} ({save_broken_batch(path, batch, terms)})"
        return UsageError(
            f"the loss is not finite ({shown}){saved}",
            where=f"training step {self.global_step}",
            mend="lower optimizer.lr or trainer.gradient_clip, or look for broken values in the data; "
            "the run's last checkpoint is whole",
        )

    def on_validation_epoch_start(self) -> None:
        """Starts counting anew."""
        self._tally = ValidationTally()

    def validation_step(self, batch: Mapping[str, Tensor], _batch_index: int) -> dict[str, Tensor]:
        """Counts one batch in; hands predictions on to whoever draws them."""
        channels_NCHW = self._after_what_came_before(batch).float()
        with full_precision(channels_NCHW):
            return {"predicted": self._tally.add(channels_NCHW, batch), "channels": channels_NCHW}

    def _after_what_came_before(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The channels of the cases themselves, which a network that remembers has seen coming."""
        if "before" not in batch:
            return cast(Tensor, self(batch["image"]))
        clip = torch.cat([batch["before"], batch["image"][:, None]], dim=1)
        return run_clip(self.network, clip)[:, -1]

    def on_validation_epoch_end(self) -> None:
        """Logs the figures; "val/score" is what the best checkpoint and early stopping go by."""
        self.figures = self._tally.figures()
        self.log_dict({f"val/{name}": figure.value for name, figure in self.figures.items()})

    def configure_gradient_clipping(
        self, optimizer: torch.optim.Optimizer, gradient_clip_val: float | None = None, *_: Any, **__: Any
    ) -> None:
        """Clips the gradients' norm. Lightning refuses to for fused optimizers, which can unscale them on their own."""
        if not gradient_clip_val:
            return
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def hold_rate(self) -> None:
        """Takes the schedule away: the optimizer keeps its own rate."""
        self._make_scheduler = lambda optimizer: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)

    def configure_optimizers(self) -> Any:
        """The optimizer, with weight decay on convolution weights only, and its step-wise schedule."""
        optimizer = self._make_optimizer(parameter_groups(self.network))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self._make_scheduler(optimizer), "interval": "step"},
        }


def full_precision(tensor: Tensor) -> torch.autocast:
    """No mixed precision inside: sums of many small probabilities lose in bfloat16's 8 bits what a loss is about."""
    return torch.autocast(tensor.device.type, enabled=False)


def single_frames(batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """A batch of clips, [N, T, ...] in every entry, as one of their frames, [N * T, ...]; another as it is."""
    is_of_clips = batch["image"].ndim == 5
    return {name: value.flatten(0, 1) for name, value in batch.items()} if is_of_clips else batch


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Weights of two and more axes, and the rest (biases, normalisation), which no weight decay should pull to 0."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    plain = [parameter for parameter in parameters if parameter.ndim < 2]
    groups = [{"params": [parameter for parameter in parameters if parameter.ndim >= 2]}]
    return [*groups, {"params": plain, "weight_decay": 0.0}] if plain else groups
