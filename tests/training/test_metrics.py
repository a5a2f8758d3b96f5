"""Validation counts what is annotated, with the number of cases behind each figure."""

from __future__ import annotations

import math

import pytest
import torch

from hipseg.anatomy import FEMORAL_ARTERY, FEMORAL_HEAD, FEMORAL_VEIN, IGNORED, LANDMARKS, NUM_CLASSES
from hipseg.data.sample import membership
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.training.losses import peak_xy
from hipseg.training.metrics import TIP, ValidationTally

SIZE = 32


def batch_of(labels, rows, tip=(0.0, 0.0, 0.0), view=1.0, spacing=0.5):
    landmarks = torch.zeros(1, len(LANDMARKS), 3)
    landmarks[0, TIP] = torch.tensor(tip)
    return {
        "labels": labels[None],
        "membership": torch.from_numpy(rows)[None],
        "landmarks": landmarks,
        "view": torch.tensor([view]),
        "spacing": torch.full((1, 2), spacing),
    }


def channels_for(labels, tip=None, view=5.0):
    """What a network certain of these labels would put out."""
    channels = torch.zeros(1, NUM_OUTPUT_CHANNELS, SIZE, SIZE)
    channels[0, :NUM_CLASSES] = 10.0 * torch.nn.functional.one_hot(labels, NUM_CLASSES).movedim(2, 0)
    if tip is not None:
        channels[0, NUM_CLASSES + TIP, tip[1], tip[0]] = 30.0
        channels[0, NUM_CLASSES + len(LANDMARKS) + TIP] = 5.0
    channels[0, -1] = view
    return channels


def squares(*class_ids):
    labels = torch.zeros(SIZE, SIZE, dtype=torch.int64)
    for position, class_id in enumerate(class_ids):
        labels[8 * position : 8 * position + 8, :8] = class_id
    return labels


def test_a_perfect_prediction_scores_one_for_what_is_present_only():
    tally = ValidationTally()
    labels = squares(FEMORAL_HEAD, FEMORAL_ARTERY)
    rows = torch.eye(NUM_CLASSES, dtype=torch.bool).numpy()
    tally.add(channels_for(labels, tip=(12, 20)), batch_of(labels, rows, tip=(12.0, 20.0, 1.0)))
    figures = tally.figures()
    assert figures["score"].value == pytest.approx(1)
    assert {name for name in figures if name.startswith("dice/")} == {"dice/femoral_head", "dice/femoral_artery"}
    assert figures["dice/femoral_head"].num_cases == 1
    assert figures["tip_error_mm"].value == pytest.approx(0, abs=1e-3)
    assert figures["tip_found"].value == figures["view_accuracy"].value == 1


def test_a_missed_structure_counts_zero_and_ignored_cells_do_not_count():
    tally = ValidationTally()
    labels = squares(FEMORAL_HEAD, FEMORAL_ARTERY)
    annotated = labels.clone()
    annotated[8:16] = IGNORED
    rows = torch.eye(NUM_CLASSES, dtype=torch.bool).numpy()
    tally.add(channels_for(squares(FEMORAL_HEAD, FEMORAL_VEIN)), batch_of(annotated, rows))
    tally.add(channels_for(squares()), batch_of(squares(FEMORAL_HEAD), rows))
    figures = tally.figures()
    assert figures["dice/femoral_head"].value == pytest.approx(0.5)
    assert figures["dice/femoral_head"].num_cases == 2
    assert "dice/femoral_artery" not in figures


def test_merged_and_undrawn_classes_are_judged_by_the_annotations_own_rules():
    tally = ValidationTally()
    rows = membership(["femoral_artery"], {"femoral_artery": ["femoral_artery", "femoral_vein"]})
    tally.add(channels_for(squares(FEMORAL_HEAD, FEMORAL_VEIN)), batch_of(squares(0, FEMORAL_ARTERY), rows))
    figures = tally.figures()
    assert figures["dice/femoral_artery+femoral_vein"].value == pytest.approx(1)
    assert figures["score"].num_cases == 1


def test_distances_use_the_scale_where_it_is_known():
    rows = torch.eye(NUM_CLASSES, dtype=torch.bool).numpy()
    tally = ValidationTally()
    for spacing in (0.5, math.nan):
        tally.add(channels_for(squares(), tip=(13, 24)), batch_of(squares(), rows, (10.0, 20.0, 1.0), spacing=spacing))
    figures = tally.figures()
    assert figures["tip_error_cells"].value == pytest.approx(5, abs=1e-3)
    assert figures["tip_error_cells"].num_cases == 2
    assert figures["tip_error_mm"].value == pytest.approx(2.5, abs=1e-3)
    assert figures["tip_error_mm"].num_cases == 1


def test_nothing_known_is_not_a_number_with_no_cases():
    figures = ValidationTally().figures()
    assert math.isnan(figures["score"].value)
    assert figures["score"].num_cases == figures["view_accuracy"].num_cases == 0


def test_peaks_are_found_between_cells():
    logits = torch.zeros(1, SIZE, SIZE)
    logits[0, 20, 10] = logits[0, 20, 11] = 30.0
    torch.testing.assert_close(peak_xy(logits), torch.tensor([[10.5, 20.0]]), atol=1e-3, rtol=0)


def test_what_is_painted_over_an_unannotated_class_changes_no_figure():
    rows = membership(["femoral_artery"], {"femoral_artery": ["femoral_artery", "femoral_vein"]})
    prediction = channels_for(squares(FEMORAL_HEAD, FEMORAL_ARTERY))
    figures = []
    for painted in (squares(0, FEMORAL_ARTERY), squares(FEMORAL_HEAD, FEMORAL_VEIN)):
        tally = ValidationTally()
        tally.add(prediction, batch_of(painted, rows))
        figures.append({name: figure for name, figure in tally.figures().items() if name.startswith("dice/")})
    assert figures[0] == figures[1]
    assert list(figures[0]) == ["dice/femoral_artery+femoral_vein"]
