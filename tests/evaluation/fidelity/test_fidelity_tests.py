"""Two-sample tests where the answer is known, and the benchmark as a whole on a drawn data set."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.errors import SourceError
from hipseg.evaluation.fidelity.attention import feature_reliance, occlusion_map
from hipseg.evaluation.fidelity.network import fit_network
from hipseg.evaluation.fidelity.patches import PATCH_PX, Sample, patch_sample
from hipseg.evaluation.fidelity.pictures import Picture, real_pictures, simulated_like, unlabelled_pictures
from hipseg.evaluation.fidelity.two_sample import CLASSIFIERS, Classifier, assign_folds, tell_apart
from hipseg.simulation import SimulationConfig

CONFIG = SimulationConfig(view="transverse", curvilinear_share=0.0, needle_share=0.0)


def noise_sample(sigma_of_real: float, sigma_of_simulated: float, count: int = 60) -> Sample:
    """Filtered noise of equal brightness and contrast; four images a person."""
    rng = np.random.default_rng(0)
    images, is_real = [], []
    for origin, sigma in ((1, sigma_of_real), (0, sigma_of_simulated)):
        for _ in range(count):
            smooth = cv2.GaussianBlur(rng.standard_normal((PATCH_PX, PATCH_PX)), (0, 0), sigma)
            images.append(np.clip(100 + 25 * smooth / smooth.std(), 0, 255).astype(np.uint8))
            is_real.append(origin)
    groups = np.array([f"{origin}-{number // 4}" for number, origin in enumerate(is_real)])
    return Sample(np.stack(images), np.array(is_real), groups)


BRIEFLY = Classifier(CLASSIFIERS["cnn"].prepare, partial(fit_network, num_steps=25))


@pytest.mark.parametrize("classifier", [BRIEFLY, CLASSIFIERS["hand features"]], ids=["cnn", "hand features"])
def test_what_differs_is_told_apart(classifier: Classifier) -> None:
    assert tell_apart(noise_sample(0.8, 2.5), classifier, seed=0, num_folds=2).auc > 0.95


def test_what_is_alike_is_not() -> None:
    assert 0.3 < tell_apart(noise_sample(1.5, 1.5), CLASSIFIERS["hand features"], seed=0).auc < 0.7


def test_the_same_seed_gives_the_same_scores() -> None:
    sample = noise_sample(1.2, 1.5, count=24)
    first, second = (tell_apart(sample, CLASSIFIERS["hand features"], seed=3, num_folds=2) for _ in range(2))
    assert np.array_equal(first.scores_N, second.scores_N)


def test_folds_keep_persons_together_and_hold_both_kinds() -> None:
    sample = noise_sample(1.0, 1.0)
    folds_N = assign_folds(sample, np.random.default_rng(0), 5)
    for group in set(sample.groups_N):
        assert len(set(folds_N[sample.groups_N == group])) == 1
    for fold in range(5):
        assert set(sample.is_real_N[folds_N == fold]) == {0, 1}


def test_the_reliance_names_what_gives_it_away() -> None:
    sample = noise_sample(1.0, 2.0)
    classifier = CLASSIFIERS["hand features"]
    table_NF = classifier.prepare(sample.images_NHW)
    scorer = classifier.fit(table_NF, sample.is_real_N, 0)
    lost = feature_reliance(table_NF, sample.is_real_N, scorer, np.random.default_rng(0))
    assert max(lost, key=lost.__getitem__) in (
        "energy by scale",
        "correlation along the beam",
        "correlation across beams",
    )
    assert lost["brightness by depth"] < 0.05


def test_the_occlusion_map_finds_what_gives_an_image_away() -> None:
    """A scorer that dislikes bright specks in the upper left."""
    image = np.full((64, 64), 50, np.uint8)
    image[10, 10] = 255
    change = occlusion_map(image, lambda images: -images[:, 8:13, 8:13].max(axis=(1, 2)).astype(float))
    peak = np.unravel_index(change.argmax(), change.shape)
    assert max(peak) < 24
    assert change[50:, 50:].max() == pytest.approx(0)


def drawn_pictures(count: int = 3) -> list[Picture]:
    rng = np.random.default_rng(5)
    return [
        Picture(
            f"drawn-{number}", rng.integers(20, 120, (250, 400)).astype(np.uint8), None, 0.1, f"run_{number}_{number}"
        )
        for number in range(count)
    ]


def test_partners_have_the_framing_of_their_picture() -> None:
    real = drawn_pictures(2)
    partners = list(simulated_like(real, CONFIG, seed=4))
    again = list(simulated_like(real, CONFIG, seed=4))
    for picture, partner, twin in zip(real, partners, again, strict=True):
        assert np.abs(np.subtract(picture.image_HW.shape, partner.image_HW.shape)).max() <= 1
        assert partner.spacing_mm == picture.spacing_mm
        assert np.array_equal(partner.image_HW, twin.image_HW)
    assert partners[0].group != partners[1].group


def test_patches_are_of_one_scale() -> None:
    fine = Picture("fine", np.tile(np.arange(512, dtype=np.uint8) // 2, (400, 1)), None, 0.05, "a")
    sample = patch_sample([fine], drawn_pictures(1), np.random.default_rng(0), per_picture=3)
    assert sample.images_NHW.shape == (6, PATCH_PX, PATCH_PX)
    steps = np.diff(sample.images_NHW[0].astype(float), axis=1)
    assert steps[:, 5:-5].mean() == pytest.approx(1.0, abs=0.1)


def test_unlabelled_pictures_take_the_scale_of_their_size(tmp_path: Path) -> None:
    labelled = drawn_pictures(3)
    cv2.imwrite(str(tmp_path / "sample_1.png"), np.zeros((252, 398), np.uint8))
    cv2.imwrite(str(tmp_path / "sample_2.png"), np.zeros((300, 398), np.uint8))
    cv2.imwrite(str(tmp_path / "sample_9.png"), np.zeros((250, 400), np.uint8))
    found = unlabelled_pictures(tmp_path, labelled)
    assert [(one.id, one.spacing_mm, one.group) for one in found] == [("sample_1", 0.1, "run_1_1")]


def test_a_data_set_without_scale_is_refused(tmp_path: Path) -> None:
    manifest = DatasetManifest("drawn", classes=())
    with DatasetWriter(tmp_path / "set", manifest) as writer:
        writer.add(id="a", patient="a", split="test", image_HW=np.zeros((64, 64), np.uint8), labels_HW=None)
    with pytest.raises(SourceError, match="no picture has a scale"):
        real_pictures(tmp_path / "set")


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        real_pictures(tmp_path)
