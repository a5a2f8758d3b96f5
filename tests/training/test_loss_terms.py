"""Each optional loss term: closed forms, silence about what nobody annotated, 0 at the truth, gradients that help."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize
from torch import Tensor

from hipseg.anatomy import (
    ANTERIOR_CAPSULE,
    CLASS_NAMES,
    FEMORAL_ARTERY,
    FEMORAL_HEAD,
    FEMORAL_NERVE,
    FEMORAL_VEIN,
    IGNORED,
    LANDMARKS,
    NEEDLE,
    NUM_CLASSES,
)
from hipseg.data.sample import membership
from hipseg.models.outputs import NUM_LANDMARKS, NUM_OUTPUT_CHANNELS
from hipseg.training.losses import MultiTaskLoss
from hipseg.training.losses.anatomy_prior import second_head_loss, sunken_capsule_loss
from hipseg.training.losses.annotation import annotated
from hipseg.training.losses.boundary import FURTHEST_PART, border_distance, boundary_loss
from hipseg.training.losses.centreline import centreline_loss, soft_skeleton
from hipseg.training.losses.heatmaps import LABEL_SIGMA_CELLS, gaussian_maps, spread_loss
from hipseg.training.losses.marginal import MarginalLoss
from hipseg.training.losses.soft_borders import softened
from hipseg.training.losses.unsafe_side import MISSED, OVERDRAWN, unsafe_side_loss

SIZE = 48
FULL = torch.eye(NUM_CLASSES, dtype=torch.bool)[None]
LABEL_TERMS = ("boundary", "centreline", "unsafe_side", "second_head", "sunken_capsule")
SURE = 40.0
seeds = st.integers(0, 2**31)


def partial(names: list[str], merged: Mapping[str, list[str]] | None = None) -> Tensor:
    return torch.from_numpy(membership(names, merged or {}))[None]


def disc(x: float, y: float, radius: float) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def labels_of(masks: Mapping[int, Tensor]) -> Tensor:
    labels = torch.zeros(1, SIZE, SIZE, dtype=torch.int64)
    for id_, mask in masks.items():
        labels[0, mask] = id_
    return labels


def scene() -> Tensor:
    """A head with a capsule over it, artery and vein, a needle from a corner."""
    return labels_of(
        {
            FEMORAL_HEAD: disc(30, 36, 9),
            ANTERIOR_CAPSULE: disc(30, 36, 12) & ~disc(30, 36, 9) & (torch.arange(SIZE)[:, None] < 30),
            FEMORAL_ARTERY: disc(9, 12, 5),
            FEMORAL_VEIN: disc(9, 26, 6),
            NEEDLE: (torch.arange(SIZE)[:, None] - torch.arange(SIZE) + 30).abs() < 2,
        }
    )


def logits_for(labels: Tensor) -> Tensor:
    known = torch.where(labels == IGNORED, 0, labels)
    return SURE * torch.nn.functional.one_hot(known, NUM_CLASSES).movedim(3, 1).float()


def channels_of(logits: Tensor) -> Tensor:
    rest = torch.zeros(len(logits), NUM_OUTPUT_CHANNELS - NUM_CLASSES, *logits.shape[2:])
    return torch.cat([logits, rest], dim=1)


def batch_of(labels: Tensor, rows: Tensor = FULL) -> dict[str, Tensor]:
    return {
        "labels": labels,
        "membership": rows.expand(len(labels), -1, -1),
        "landmarks": torch.tensor([0.0, 0.0, -1.0]).expand(len(labels), NUM_LANDMARKS, 3),
        "view": torch.full((len(labels),), -1.0),
    }


def terms_of(logits: Tensor, labels: Tensor, rows: Tensor = FULL, **options: float) -> dict[str, Tensor]:
    return MultiTaskLoss(**dict.fromkeys(LABEL_TERMS, 1.0), **options)(channels_of(logits), batch_of(labels, rows))


def random_logits(seed: int, samples: int = 2) -> Tensor:
    return 3 * torch.randn(samples, NUM_CLASSES, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def test_terms_at_weight_zero_are_not_computed():
    assert not set(MultiTaskLoss()(channels_of(logits_for(scene())), batch_of(scene()))) & {*LABEL_TERMS, "spread"}


def test_the_truth_costs_nothing():
    for rows in (FULL, partial(["femoral_head", "femoral_artery"])):
        terms = terms_of(logits_for(scene()), scene(), rows, soft_border_cells=0)
        for name in (*LABEL_TERMS, "cross_entropy"):
            assert terms[name].item() == pytest.approx(0, abs=2e-5), name


def test_every_term_counts_in_the_sum_with_its_weight():
    logits, labels = random_logits(3, 1), scene()
    plain = MultiTaskLoss()(channels_of(logits), batch_of(labels))["loss"]
    for name in LABEL_TERMS:
        terms = MultiTaskLoss(**{name: 0.5})(channels_of(logits), batch_of(labels))
        assert terms[name] > 0
        torch.testing.assert_close(terms["loss"], plain + 0.5 * terms[name])


annotations = st.lists(st.sampled_from(CLASS_NAMES[1:]), unique=True)


@given(seed=seeds, names=annotations, merges=st.booleans(), softens=st.booleans())
@settings(max_examples=25, deadline=None)
def test_what_is_painted_over_an_unannotated_class_changes_no_term(
    seed: int, names: list[str], merges: bool, softens: bool
):
    merged = {"femoral_artery": ["femoral_artery", "femoral_vein"]} if merges and "femoral_artery" in names else {}
    rows = partial(names, merged)
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(NUM_CLASSES, (2, SIZE, SIZE), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.1] = IGNORED
    hidden = torch.tensor(
        [id_ for id_, name in enumerate(CLASS_NAMES) if name not in names and not (merged and id_ == FEMORAL_VEIN)]
    )
    again = hidden[torch.randint(len(hidden), labels.shape, generator=generator)]
    repainted = torch.where(torch.isin(labels, hidden), again, labels)
    logits = random_logits(seed)
    before, after = (terms_of(logits, each, rows, soft_border_cells=int(softens)) for each in (labels, repainted))
    for name, term in before.items():
        torch.testing.assert_close(term, after[name], rtol=1e-5, atol=1e-7, msg=name)


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_ignored_cells_count_in_no_term(seed: int):
    labels = scene().repeat(2, 1, 1)
    labels[:, 20:30] = IGNORED
    logits = random_logits(seed)
    changed = logits.clone()
    changed[:, :, 20:30] = -changed[:, :, 20:30]
    before, after = terms_of(logits, labels), terms_of(changed, labels)
    for name, term in before.items():
        torch.testing.assert_close(term, after[name], rtol=1e-5, atol=1e-7, msg=name)


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_gradients_are_finite_also_where_everything_is_unknown(seed: int):
    for labels in (scene(), torch.full((1, SIZE, SIZE), IGNORED), torch.zeros(1, SIZE, SIZE, dtype=torch.int64)):
        channels = channels_of(random_logits(seed, 1) * 20).requires_grad_()
        batch = batch_of(labels) | {"landmarks": torch.tensor([[5.0, 7.0, 1.0]] * NUM_LANDMARKS)[None]}
        MultiTaskLoss(**dict.fromkeys(LABEL_TERMS, 1.0), spread=1.0, soft_border_cells=1)(channels, batch)[
            "loss"
        ].backward()
        assert torch.isfinite(channels.grad).all()


def test_border_distances_are_those_of_an_exact_transform():
    mask = disc(20, 24, 10).numpy()
    known = np.ones_like(mask)
    exact = np.where(mask, distance_transform_edt(mask), distance_transform_edt(~mask)) - 0.5
    expected = np.minimum(exact / SIZE, FURTHEST_PART)
    # OpenCV's 5x5 chamfer distance is within about 2 % of the Euclidean one.
    np.testing.assert_allclose(border_distance(mask, known), expected, rtol=0.03, atol=1e-6)


def test_a_structure_that_runs_into_an_ignored_region_has_no_border_there():
    mask, known = np.zeros((9, 40), bool), np.ones((9, 40), bool)
    mask[:, 10:] = True
    known[:, 20:] = False
    distance = border_distance(mask, known) * 40
    assert distance[4, 19] == pytest.approx(5.0)  # FURTHEST_PART of 40 cells, and not half a cell
    assert distance[4, 20:].max() == 0


def test_boundary_loss_of_a_disc_too_large_is_the_integral_of_the_ring():
    """Of radius R instead of r: the integral of (rho - r) over the ring, 2 pi (R**3/3 - r R**2/2 + r**3/6)."""
    inner, outer = 10.0, 14.0
    labels = labels_of({FEMORAL_HEAD: disc(24, 24, inner)})
    drawn = logits_for(labels_of({FEMORAL_HEAD: disc(24, 24, outer)}))
    ring = 2 * math.pi * (outer**3 / 3 - inner * outer**2 / 2 + inner**3 / 6)
    loss = boundary_loss(annotated(drawn, labels, FULL))
    # Cells are counted by their centres: a tenth is what a ring of four cells leaves to that.
    assert loss.item() == pytest.approx(ring / SIZE / SIZE**2, rel=0.12)


def test_a_far_mistake_costs_more_than_a_near_one_of_the_same_size():
    labels = labels_of({FEMORAL_HEAD: disc(14, 24, 8)})
    near, far = (labels_of({FEMORAL_HEAD: disc(14, 24, 8) | disc(x, 24, 3)}) for x in (26, 42))
    assert boundary_loss(annotated(logits_for(far), labels, FULL)) > 1.5 * boundary_loss(
        annotated(logits_for(near), labels, FULL)
    )


def test_soft_skeletons_lie_where_skeletons_do():
    bar = torch.zeros(SIZE, SIZE)
    bar[20:25, 6:40] = 1
    ours, theirs = soft_skeleton(bar[None])[0].numpy() > 0.5, skeletonize(bar.numpy().astype(bool))
    assert (ours & theirs).sum() / theirs.sum() > 0.9
    assert ours.sum() < 1.5 * theirs.sum()


def test_centreline_loss_of_half_a_needle_is_the_closed_form():
    """All of the found half lies in the truth, half of the true line is found: 1 - 2 * 1 * 0.5 / 1.5 = 1/3."""
    needle = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    needle[20:23, 4:44] = True
    half = needle.clone()
    half[:, 24:] = False
    loss = centreline_loss(annotated(logits_for(labels_of({NEEDLE: half})), labels_of({NEEDLE: needle}), FULL))
    assert loss.item() == pytest.approx(1 / 3, abs=0.02)


def test_a_gap_costs_a_line_more_than_the_same_cells_off_its_edge():
    needle = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    needle[20:23, 4:44] = True
    with_gap, thinner = needle.clone(), needle.clone()
    with_gap[:, 16:28] = False
    thinner[20, 4:40] = False
    truth = labels_of({NEEDLE: needle})
    gap, edge = (
        centreline_loss(annotated(logits_for(labels_of({NEEDLE: mask})), truth, FULL)) for mask in (with_gap, thinner)
    )
    assert gap > 0.1
    assert edge < gap / 3


@pytest.mark.parametrize("rows", [FULL, partial(["femoral_artery"]), partial(CLASS_NAMES[1:6], {})])
def test_a_vessel_missed_costs_more_than_one_overdrawn(rows: Tensor):
    truth, larger, smaller = (labels_of({FEMORAL_ARTERY: disc(20, 20, radius)}) for radius in (10, 14.14, 0))
    missed, overdrawn = (unsafe_side_loss(annotated(logits_for(each), truth, rows)) for each in (smaller, larger))
    cells, extra = disc(20, 20, 10).sum().item(), (disc(20, 20, 14.14) & ~disc(20, 20, 10)).sum().item()
    assert overdrawn.item() == pytest.approx(OVERDRAWN * extra / (cells + OVERDRAWN * extra), abs=0.01)
    assert missed.item() == pytest.approx(1 - 2 / (1 + MISSED * cells), abs=0.01)
    assert missed > 3 * overdrawn


def test_artery_called_vein_is_no_missed_vessel():
    truth, swapped = labels_of({FEMORAL_ARTERY: disc(20, 20, 9)}), labels_of({FEMORAL_VEIN: disc(20, 20, 9)})
    merged = partial(["femoral_artery", "femoral_nerve"], {"femoral_artery": ["femoral_artery", "femoral_vein"]})
    for rows in (FULL, merged):
        assert unsafe_side_loss(annotated(logits_for(swapped), truth, rows)).item() == pytest.approx(0, abs=1e-5)
    # Where nobody drew the vein, a vein predicted on the artery is an artery missed.
    assert unsafe_side_loss(annotated(logits_for(swapped), truth, partial(["femoral_artery"]))) > 0.5


def test_a_second_head_costs_its_share_of_the_mass():
    two = logits_for(labels_of({FEMORAL_HEAD: disc(14, 24, 9) | disc(38, 24, 4)})).softmax(1)
    known = torch.ones(1, SIZE, SIZE, dtype=torch.bool)
    share = disc(38, 24, 4).sum() / (disc(14, 24, 9).sum() + disc(38, 24, 4).sum())
    assert second_head_loss(two, known).item() == pytest.approx(share.item(), rel=1e-3)
    assert second_head_loss(logits_for(scene()).softmax(1), known).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("rows", [FULL, partial(["femoral_head"]), partial(["femoral_nerve"])])
def test_a_capsule_below_the_head_costs_and_one_above_does_not(rows: Tensor):
    """Also where nobody drew a capsule, and, by the predicted head, where nobody drew the head either."""
    head, above, below = disc(24, 24, 7), disc(24, 12, 3), disc(24, 40, 3)
    for capsule, expected in ((above, 0.0), (below, 1.0)):
        drawn = labels_of({FEMORAL_HEAD: head, ANTERIOR_CAPSULE: capsule})
        logits = logits_for(drawn)
        loss = sunken_capsule_loss(logits.softmax(1), annotated(logits, drawn, rows))
        assert loss.item() == pytest.approx(expected, abs=1e-3)


def heatmaps(points: list[tuple[float, float]], sigma: float) -> Tensor:
    return gaussian_maps(torch.tensor(points), SIZE, SIZE, sigma).clamp_min(1e-30).log()[:, None]


def _spread(error: float, sigma: float) -> float:
    truth = torch.tensor([[[20.0, 24.0, 1.0]]])
    return spread_loss(heatmaps([(20 + error, 24.0)], sigma), truth).item()


def test_spread_loss_is_the_likelihood_of_a_gaussian():
    for error, sigma in ((0.0, 1.5), (3.0, 1.5), (3.0, 3.0)):
        variance, floor = sigma**2 + LABEL_SIGMA_CELLS**2, LABEL_SIGMA_CELLS**2
        expected = math.log(variance / floor) + error**2 / (2 * variance)
        assert _spread(error, sigma) == pytest.approx(expected, rel=0.02)


def test_spread_loss_is_least_where_sigma_is_the_errors_own():
    """An error of 4 cells in one direction is a variance of 8 on each axis."""
    sigmas = np.linspace(1.5, 5, 15)
    best = sigmas[np.argmin([_spread(4.0, sigma) for sigma in sigmas])]
    assert best == pytest.approx(math.sqrt(8 - LABEL_SIGMA_CELLS**2), abs=0.26)


def test_a_second_mode_counts_in_the_spread_and_an_absent_landmark_nowhere():
    one = heatmaps([(20.0, 24.0)], 1.0)
    both = torch.logaddexp(one, heatmaps([(40.0, 24.0)], 1.0) - 1)
    truth = torch.tensor([[[20.0, 24.0, 1.0]]])
    assert spread_loss(both, truth) > spread_loss(one, truth) + 1
    for state in (0.0, -1.0):
        assert spread_loss(both, torch.tensor([[[0.0, 0.0, state]]])) == 0


def test_spread_agrees_with_the_sigma_of_the_exported_model():
    from hipseg.export.landmarks import LandmarkReader
    from hipseg.models.outputs import interpret

    channels = torch.randn(1, NUM_OUTPUT_CHANNELS, SIZE, SIZE, generator=torch.Generator().manual_seed(5)) * 2
    output = interpret(channels)
    x, y, sigma, _ = LandmarkReader(SIZE)(output, SIZE, SIZE)[0, LANDMARKS.index("needle_tip")].tolist()
    variance, floor = sigma**2 + LABEL_SIGMA_CELLS**2, LABEL_SIGMA_CELLS**2
    truth = torch.zeros(1, NUM_LANDMARKS, 3)
    truth[0, 0] = torch.tensor([x + 3.0, y, 1.0])
    expected = math.log(variance / floor) + 9 / (2 * variance)
    assert spread_loss(output.heatmap_logits_NKHW, truth).item() == pytest.approx(expected, rel=1e-4)


HAND_DRAWN = partial(["femoral_artery", "femoral_nerve"])


def test_soft_borders_reach_as_far_as_they_say_and_spare_exact_labels():
    target = torch.zeros(1, NUM_CLASSES, 1, 12)
    target[0, 0, 0, :6], target[0, FEMORAL_ARTERY, 0, 6:] = 1, 1
    known = torch.ones(1, 1, 1, 12, dtype=torch.bool)
    known[..., 11] = False
    soft = softened(target * known, known, HAND_DRAWN, 1)
    assert soft[0, FEMORAL_ARTERY, 0, 4:8].tolist() == pytest.approx([0, 0.25, 0.75, 1])
    assert soft.sum(dim=1)[known[:, 0]].tolist() == pytest.approx([1] * 11)
    assert soft[..., 11].sum() == 0
    assert torch.equal(softened(target, known, FULL, 1), target)


def test_with_soft_borders_doubt_about_a_border_is_cheaper_than_certainty_and_without_dearer():
    truth = labels_of({FEMORAL_ARTERY: disc(20, 20, 8)})
    sure = logits_for(truth)
    target = torch.nn.functional.one_hot(truth, NUM_CLASSES).movedim(3, 1).float()
    doubtful = softened(target, torch.ones_like(truth, dtype=torch.bool)[:, None], HAND_DRAWN, 2).clamp_min(1e-9).log()
    hard, soft = MarginalLoss(), MarginalLoss(soft_border_cells=2)
    assert soft(doubtful, truth, HAND_DRAWN)[0].item() == pytest.approx(0, abs=1e-5)
    assert soft(sure, truth, HAND_DRAWN)[0] > 0.5 > 0.1 > hard(doubtful, truth, HAND_DRAWN)[0] > 0.005
    assert hard(sure, truth, HAND_DRAWN)[0].item() == pytest.approx(0, abs=1e-6)


def improves(loss: Callable[[Tensor], Tensor], logits: Tensor) -> bool:
    before = logits.clone().requires_grad_()
    value = loss(before)
    value.backward()
    return bool(loss(logits - 1e-2 * before.grad / before.grad.norm() * math.sqrt(logits.numel())) < value)


@given(seed=seeds)
@settings(max_examples=5, deadline=None)
def test_a_step_down_the_gradient_lowers_every_term(seed: int):
    logits = random_logits(seed, 1)
    for term in (boundary_loss, centreline_loss, unsafe_side_loss):
        assert improves(lambda each, term=term: term(annotated(each, scene(), FULL)), logits), term.__name__


def test_the_nerve_is_no_vessel():
    truth = labels_of({FEMORAL_NERVE: disc(20, 20, 9)})
    assert unsafe_side_loss(annotated(logits_for(truth), truth, FULL)).item() == pytest.approx(0, abs=1e-5)
