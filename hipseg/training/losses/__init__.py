"""What a network is trained to minimise, one term a module. Every term counts only what a sample's annotation says."""

from hipseg.training.losses.annotation import drawn_ids, merge_probabilities, used_ids
from hipseg.training.losses.heatmaps import heatmap_loss, peak_xy
from hipseg.training.losses.known_states import known_binary_loss
from hipseg.training.losses.marginal import MarginalLoss
from hipseg.training.losses.multi_task import MultiTaskLoss

__all__ = [
    "MarginalLoss",
    "MultiTaskLoss",
    "drawn_ids",
    "heatmap_loss",
    "known_binary_loss",
    "merge_probabilities",
    "peak_xy",
    "used_ids",
]
