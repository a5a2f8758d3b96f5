"""The losses say what MONAI's say on complete labels, and nothing about what nobody annotated."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.losses import DiceCELoss
from torch import Tensor
from torch.nn import functional

from hipseg.anatomy import (
    CLASS_NAMES,
    FEMORAL_ARTERY,
    FEMORAL_NECK,
    FEMORAL_NERVE,
    FEMORAL_VEIN,
    IGNORED,
    NUM_CLASSES,
)
from hipseg.data.sample import membership
from hipseg.errors import UsageError
from hipseg.models.outputs import NUM_LANDMARKS, NUM_OUTPUT_CHANNELS
from hipseg.training.losses import MarginalLoss, MultiTaskLoss, drawn_ids, heatmap_loss, known_binary_loss, used_ids

FULL = torch.eye(NUM_CLASSES, dtype=torch.bool)
NO_NECK = ["femoral_head", "anterior_capsule", "femoral_artery", "femoral_vein"]
seeds = st.integers(0, 2**31)


def partial(annotated: list[str], merged: dict[str, list[str]] | None = None) -> Tensor:
    return torch.from_numpy(membership(annotated, merged or {}))


def drawn(seed: int, size: int = 24) -> tuple[Tensor, Tensor]:
    """Random logits and labels that hold every class."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, NUM_CLASSES, size, size, generator=generator)
    return logits, torch.randint(0, NUM_CLASSES, (2, size, size), generator=generator)


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_complete_labels_give_monais_dice_and_cross_entropy(seed: int):
    logits, labels = drawn(seed)
    ours = sum(MarginalLoss()(logits, labels, FULL.expand(2, -1, -1)))
    monais = DiceCELoss(softmax=True, to_onehot_y=True, batch=True)(logits, labels[:, None])
    torch.testing.assert_close(ours, monais, rtol=1e-5, atol=1e-6)


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_repainting_an_unannotated_class_changes_nothing(seed: int):
    """Truth and prediction may call it neck or background: an annotator who draws no neck cannot tell."""
    logits, truth = drawn(seed)
    rows = partial(NO_NECK).expand(2, -1, -1)
    unannotated = ~torch.isin(truth, torch.tensor([0, 1, 3, 5, 6]))
    painted = torch.where(unannotated, 0, truth)
    swapped = logits.clone()
    swapped[:, [0, FEMORAL_NECK]] = logits[:, [FEMORAL_NECK, 0]]
    for before, after in zip(
        MarginalLoss()(logits, painted, rows), MarginalLoss()(swapped, painted, rows), strict=True
    ):
        torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-6)


annotations = st.lists(st.sampled_from(CLASS_NAMES[1:]), unique=True)


@given(seed=seeds, annotated=annotations)
@settings(max_examples=25, deadline=None)
def test_what_is_painted_over_an_unannotated_class_changes_nothing(seed: int, annotated: list[str]):
    """A mask may show classes that count as not annotated: they are background, whatever id they were given."""
    logits, labels = drawn(seed)
    rows = partial(annotated).expand(2, -1, -1)
    hidden = torch.tensor([id for id, name in enumerate(CLASS_NAMES) if name not in annotated])
    unannotated = torch.isin(labels, hidden)
    again = torch.Generator().manual_seed(seed + 1)
    repainted = torch.where(unannotated, hidden[torch.randint(len(hidden), labels.shape, generator=again)], labels)
    loss = MarginalLoss({"needle": 5.0, "labrum": 3.0})
    for before, after in zip(loss(logits, labels, rows), loss(logits, repainted, rows), strict=True):
        assert torch.isfinite(before)
        torch.testing.assert_close(before, after, rtol=1e-6, atol=0)


@given(seed=seeds, annotated=annotations)
@settings(max_examples=25, deadline=None)
def test_classes_nobody_drew_may_share_their_probability_as_they_like(seed: int, annotated: list[str]):
    logits, labels = drawn(seed)
    rows = partial(annotated).expand(2, -1, -1)
    hidden = [id for id, name in enumerate(CLASS_NAMES) if name not in annotated]
    labels = torch.where(torch.isin(labels, torch.tensor(hidden)), 0, labels)
    swapped = logits.clone()
    swapped[:, hidden] = logits[:, hidden[1:] + hidden[:1]]
    for before, after in zip(MarginalLoss()(logits, labels, rows), MarginalLoss()(swapped, labels, rows), strict=True):
        torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-6)


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_class_weights_on_complete_labels_are_those_of_torch(seed: int):
    logits, labels = drawn(seed)
    weights = {"needle": 4.0, "labrum": 0.5}
    ours, _ = MarginalLoss(weights)(logits, labels, FULL.expand(2, -1, -1))
    weight_C = torch.tensor([weights.get(name, 1.0) for name in CLASS_NAMES])
    torch.testing.assert_close(ours, functional.cross_entropy(logits, labels, weight_C), rtol=1e-5, atol=1e-6)


def test_a_member_of_a_merged_class_counts_as_the_merged_class():
    rows = partial(["femoral_artery"], {"femoral_artery": ["femoral_artery", "femoral_vein"]})
    labels = torch.tensor([[[FEMORAL_ARTERY, FEMORAL_VEIN, FEMORAL_NERVE, IGNORED]]])
    assert drawn_ids(labels, rows[None]).tolist() == [[[FEMORAL_ARTERY, FEMORAL_ARTERY, 0, 0]]]


def test_a_merged_label_is_satisfied_by_either_class():
    rows = partial(["femoral_artery", "femoral_nerve"], {"femoral_artery": ["femoral_artery", "femoral_vein"]})
    labels = torch.full((1, 8, 8), FEMORAL_ARTERY)
    for class_id in (FEMORAL_ARTERY, FEMORAL_VEIN):
        assert _certain(class_id, labels, rows)[0] < 1e-3
    assert _certain(FEMORAL_NERVE, labels, rows)[0] > 5


def test_a_drawn_background_may_be_any_undrawn_class_but_no_drawn_one():
    rows = partial(["femoral_artery"])
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    assert _certain(FEMORAL_NECK, labels, rows)[0] < 1e-3
    assert _certain(FEMORAL_ARTERY, labels, rows)[0] > 5


def _certain(class_id: int, labels: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    logits = torch.zeros(1, NUM_CLASSES, *labels.shape[1:])
    logits[:, class_id] = 20.0
    return MarginalLoss()(logits, labels, rows[None])


def test_used_ids_are_those_an_annotator_could_have_drawn():
    rows = partial(["femoral_artery", "femoral_nerve"], {"femoral_artery": ["femoral_artery", "femoral_vein"]})
    assert used_ids(rows[None])[0].nonzero().flatten().tolist() == [0, FEMORAL_ARTERY, FEMORAL_NERVE]
    assert used_ids(FULL[None]).all()


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_ignored_cells_do_not_count(seed: int):
    logits, labels = drawn(seed)
    labels[:, :, :10] = IGNORED
    changed = logits.clone()
    changed[..., :10] = -changed[..., :10]
    rows = FULL.expand(2, -1, -1)
    assert MarginalLoss()(logits, labels, rows) == MarginalLoss()(changed, labels, rows)


def test_class_weights_raise_what_a_missed_structure_costs():
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[:, :2] = FEMORAL_VEIN
    logits = torch.zeros(1, NUM_CLASSES, 8, 8)
    logits[:, 0] = 4.0
    plain, _ = MarginalLoss()(logits, labels, FULL[None])
    weighted, _ = MarginalLoss({"femoral_vein": 5.0})(logits, labels, FULL[None])
    assert weighted > plain
    with pytest.raises(UsageError, match="did you mean 'femoral_vein'"):
        MarginalLoss({"femoral_vain": 5.0})


def test_heatmap_loss_is_least_at_the_true_position_and_silent_without_one():
    seen = torch.tensor([[[10.0, 20.0, 1.0]]])
    peaks = torch.zeros(2, 1, 32, 32)
    peaks[0, 0, 20, 10] = peaks[1, 0, 5, 5] = 12.0
    right, wrong = (heatmap_loss(peaks[index : index + 1], seen) for index in (0, 1))
    assert right < wrong
    for state in (0.0, -1.0):
        assert heatmap_loss(peaks[:1], torch.tensor([[[0.0, 0.0, state]]])) == 0


def test_unknown_states_do_not_count():
    logits = torch.tensor([3.0, -3.0, 100.0])
    assert known_binary_loss(logits, torch.tensor([1.0, 0.0, -1.0])) < 0.1
    assert known_binary_loss(logits, torch.tensor([-1.0, -1.0, -1.0])) == 0


def test_a_batch_of_nothing_but_unknowns_has_a_loss_of_zero_and_a_gradient():
    channels = torch.randn(2, NUM_OUTPUT_CHANNELS, 16, 16, requires_grad=True)
    batch = {
        "labels": torch.full((2, 16, 16), IGNORED),
        "membership": FULL.expand(2, -1, -1),
        "landmarks": torch.tensor([0.0, 0.0, -1.0]).expand(2, NUM_LANDMARKS, 3),
        "view": torch.full((2,), -1.0),
    }
    loss = MultiTaskLoss()(channels, batch)["loss"]
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(channels.grad).all()
