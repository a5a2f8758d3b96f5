"""A network learns from a trained one what labels do not say; the teacher stays out of its checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scipy.stats import entropy

from hipseg.anatomy import NUM_CLASSES
from hipseg.errors import ModelError, UsageError
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS, interpret
from hipseg.training.checkpoint import read_checkpoint
from hipseg.training.losses.distillation import disagreement
from hipseg.training.run import resumed_config, train

LEARNS = ("loss=distilled", "trainer.max_steps=2")


def channels(seed: int) -> torch.Tensor:
    return 3 * torch.randn(2, NUM_OUTPUT_CHANNELS, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_disagreement_is_the_mean_divergence_of_the_class_probabilities():
    student, teacher = channels(1), channels(2)
    theirs, ours = (
        interpret(output).class_logits_NCHW.softmax(dim=1).movedim(1, 3).reshape(-1, NUM_CLASSES).double()
        for output in (teacher, student)
    )
    expected = entropy(theirs.numpy(), ours.numpy(), axis=1).mean()
    assert float(disagreement(student, teacher)) == pytest.approx(expected, rel=1e-5)
    assert float(disagreement(teacher, teacher)) == pytest.approx(0, abs=1e-6)


def test_a_student_follows_its_teacher_without_any_label():
    teacher, student = channels(2), channels(1).requires_grad_()
    first = disagreement(student, teacher)
    first.backward()
    moved = student.detach() - 50 * student.grad
    assert disagreement(moved, teacher) < first


def test_a_run_with_a_teacher_goes_on_and_does_not_keep_it(configure, tmp_path: Path):
    teacher = train(configure("trainer.max_steps=2", "model.widths=[8,16,16,16,16]"))
    learns = (*LEARNS, f"loss.teacher={teacher.folder}", f"run_dir={tmp_path / 'student'}")
    student = train(configure(*learns))
    assert "distillation" in (student.folder / "losses.csv").read_text().splitlines()[0]
    assert all(name.startswith("network.") for name in read_checkpoint(student.last)["state_dict"])
    assert train(resumed_config(student.folder, ["trainer.max_steps=4"])).steps == 4


def test_a_missing_teacher_is_said_in_one_line(configure, tmp_path: Path):
    with pytest.raises(ModelError, match="no checkpoint here"):
        train(configure(*LEARNS, f"loss.teacher={tmp_path}"))
    with pytest.raises(UsageError, match="teacher"):
        train(configure(*LEARNS))
