"""Self-training: labels where the teacher is sure, 255 where it is not, its name in the manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_model import build_tiny_model

from hipseg.anatomy import BACKGROUND, FEMORAL_ARTERY, FEMORAL_HEAD, FEMORAL_NECK, IGNORED, NUM_CLASSES
from hipseg.cli.main import execute
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.data.pseudo_labels import PseudoLabelling, label_image, on_image
from hipseg.data.reading import load_dataset, read_labels
from hipseg.data.sources import DiskSource
from hipseg.errors import UsageError
from hipseg.runtime.grid import Grid
from hipseg.runtime.segmentation import Segmentation

HEIGHT, WIDTH, SIZE = 40, 64, 32


class ColumnTeacher:
    """Says what is head by column, whatever the image shows but how bright its first pixel is: its view score."""

    def __init__(self, head_W: np.ndarray) -> None:
        self._head_W = head_W

    def segment(self, image_HW: np.ndarray) -> Segmentation:
        probabilities = np.zeros((NUM_CLASSES, SIZE, SIZE), np.float32)
        probabilities[FEMORAL_HEAD] = self._head_W
        probabilities[FEMORAL_NECK] = (1 - self._head_W) / 2
        probabilities[BACKGROUND] = (1 - self._head_W) / 2
        return Segmentation(
            labels_HW=np.zeros(image_HW.shape, np.uint8),
            probabilities_CHW=probabilities,
            grid=Grid(*image_HW.shape, SIZE),
            landmarks={},
            view_score=float(image_HW[0, 0] / 255),
        )


def labelled(head_W: np.ndarray, *, confidence: float = 0.9, grey: int = 255) -> np.ndarray | None:
    image = np.full((HEIGHT, WIDTH), grey, np.uint8)
    return label_image(ColumnTeacher(head_W), image, PseudoLabelling(("femoral_head",), confidence))


def test_only_what_the_teacher_is_sure_of_is_labelled():
    """Neck is not asked for: what is not head is background, even where the teacher is torn between those two."""
    for probability, expected in ((0.95, FEMORAL_HEAD), (0.05, BACKGROUND), (0.85, IGNORED), (0.15, IGNORED)):
        assert (labelled(np.full(SIZE, probability)) == expected).all()
    assert (labelled(np.full(SIZE, 0.85), confidence=0.8) == FEMORAL_HEAD).all()


def test_where_the_mirrored_image_gets_another_answer_nothing_is_sure():
    left = np.where(np.arange(SIZE) < SIZE // 4, 1.0, 0.0)
    labels = labelled(left)
    assert set(np.unique(labels)) == {BACKGROUND, IGNORED}
    assert (labels[:, : WIDTH // 4 - 2] == IGNORED).all()
    assert (labels[:, WIDTH // 4 + 2 : WIDTH // 2] == BACKGROUND).all()


def test_an_image_the_teacher_does_not_recognise_is_not_labelled():
    assert labelled(np.ones(SIZE), grey=100) is None


def test_probabilities_come_back_to_the_pixels_they_lie_on():
    """A ramp over the columns of an image on the grid is that ramp over its pixels."""
    grid = Grid(HEIGHT, WIDTH, SIZE)
    x_px = grid.to_image(np.stack([np.arange(SIZE), np.zeros(SIZE)], axis=1))[:, 0]
    ramp = np.broadcast_to((x_px / WIDTH).astype(np.float32), (1, SIZE, SIZE))
    found = on_image(ramp, grid)[0]
    np.testing.assert_allclose(
        found[:, 2:-2], np.broadcast_to(np.arange(WIDTH) / WIDTH, found.shape)[:, 2:-2], atol=0.02
    )


@pytest.mark.parametrize(
    ("classes", "confidence", "message"),
    [(("femoral_haed",), 0.9, "did you mean 'femoral_head'"), ((), 0.9, "no class"), (("needle",), 0.5, "above 0.5")],
)
def test_settings_that_make_no_sense_are_refused(classes: tuple[str, ...], confidence: float, message: str):
    with pytest.raises(UsageError, match=message):
        PseudoLabelling(classes, confidence)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real exported model: bright is head, dark is artery."""
    return build_tiny_model(tmp_path_factory.mktemp("teacher"))


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    """Two images to train on, left bright and right dark or the other way round; one to test on, one annotated."""
    image = np.full((60, 80), 230, np.uint8)
    image[:, 40:] = 10
    root = tmp_path / "unlabelled"
    manifest = DatasetManifest(name="groins", classes=(), licence="MIT", attribution="A. Nonymous", source="somewhere")
    with DatasetWriter(root, manifest) as writer:
        for name, split, mask in (
            ("a", "train", None),
            ("b", "train", None),
            ("c", "test", None),
            ("d", "train", image),
        ):
            labels = None if mask is None else np.zeros(image.shape, np.uint8)
            shown = image[:, ::-1] if name == "b" else image
            writer.add(
                id=name,
                image_HW=np.ascontiguousarray(shown),
                labels_HW=labels,
                patient=name,
                split=split,
                spacing_mm=(0.2, 0.2),
            )
    return root


def test_the_verb_writes_a_data_set_to_train_on(
    unlabelled: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "pseudo"
    arguments = ["--out", str(out), "--model", str(teacher), "--class", "femoral_head", "--class", "femoral_artery"]
    assert execute(["data", "pseudo-label", str(unlabelled), *arguments]) == 0
    assert "2 cases" in capsys.readouterr().out
    manifest, cases = load_dataset(out, verify=True)
    assert (manifest.classes, manifest.licence) == (("femoral_head", "femoral_artery"), "MIT")
    assert all(part in manifest.source for part in ("somewhere", "tiny 1.0.0", "sha256", "0.9 sure"))
    assert {(case.id, case.split, case.patient, case.spacing_mm) for case in cases} == {
        ("a", "train", "a", (0.2, 0.2)), ("b", "train", "b", (0.2, 0.2)),
    }  # fmt: skip
    for case, bright in zip(cases, (slice(3, 35), slice(45, 77)), strict=True):
        labels = read_labels(out, case)
        assert (labels[3:-3, bright] == FEMORAL_HEAD).mean() > 0.95
        assert (labels == FEMORAL_ARTERY).mean() > 0.4
    sample = DiskSource(out).draw(np.random.default_rng(0))
    assert sample.membership_CC[BACKGROUND, FEMORAL_NECK]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["{root}", "--model", "{tmp}/none.onnx"], 4, "none.onnx"),
        (["{root}", "--model", "{teacher}", "--class", "nerve"], 2, "unknown class 'nerve'"),
        (["{root}", "--model", "{teacher}", "--view-score", "1"], 3, "recognises its view"),
        (["{tmp}/nowhere", "--model", "{teacher}"], 3, "cannot be read"),
    ],
)
def test_refusals_leave_no_data_set(
    unlabelled: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: list[str], exit_code: int, message: str,
):  # fmt: skip
    out = tmp_path / "out"
    places = {"{root}": unlabelled, "{tmp}": tmp_path, "{teacher}": teacher}
    for place, path in places.items():
        arguments = [argument.replace(place, str(path)) for argument in arguments]
    assert execute(["data", "pseudo-label", *arguments, "--out", str(out)]) == exit_code
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()
