"""Looks cross over, anatomy and black borders stay."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.data.sources import DiskSource
from hipseg.data.style import exchange_amplitude, match_histogram, match_patches
from hipseg.data.styled_source import StyledSource
from hipseg.errors import UsageError

ALL = {"fourier": 1.0, "histogram": 1.0, "patches": 1.0}


def textured(seed: int, size: tuple[int, int] = (160, 200), *, level: float = 90, spread: float = 20) -> np.ndarray:
    """Speckle with slow shading and a black border of 20 columns."""
    rng = np.random.default_rng(seed)
    shading = cv2.resize(rng.uniform(-1, 1, (4, 4)), size[::-1], interpolation=cv2.INTER_CUBIC)
    image = np.clip(level * (1 + 0.3 * shading) + spread * rng.standard_normal(size), 1, 255).astype(np.uint8)
    image[:, :20] = 0
    return image


@pytest.mark.parametrize(
    "give", [lambda a, b: exchange_amplitude(a, b, 0.05), lambda a, b: match_histogram(a, b, 1.0),
             lambda a, b: match_patches(a, b, 1.0)],
    ids=["fourier", "histogram", "patches"],
)  # fmt: skip
def test_an_image_in_its_own_look_is_itself_and_black_borders_stay(give):
    image, other = textured(0), textured(1, level=140, spread=45)
    assert np.abs(give(image, image).astype(int) - image).max() <= 1
    changed = give(image, other)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert changed[:, :16].max() == 0
    assert np.abs(changed[:, 30:].astype(int) - image[:, 30:]).mean() > 3


def spectrum(image: np.ndarray) -> np.ndarray:
    return np.fft.fft2(image.astype(float))


def test_fourier_exchange_takes_low_amplitudes_and_keeps_phases_and_high_frequencies():
    """On images without border and of the working size, where the exchange is exact but for rounding."""
    own, lent = (textured(seed, (128, 160))[:, 30:158] for seed in (2, 3))
    mixed = spectrum(exchange_amplitude(own, lent, 2.5 / 128))
    low = np.maximum(*np.meshgrid(*[np.abs(np.fft.fftfreq(128, 1 / 128))] * 2)) <= 2
    np.testing.assert_allclose(np.abs(mixed[low]), np.abs(spectrum(lent)[low]), rtol=0.03, atol=150)
    strong = low & (np.abs(mixed) > 5000)
    assert np.abs(np.angle(mixed[strong] / spectrum(own)[strong])).max() < 0.1
    assert np.abs(mixed[~low] - spectrum(own)[~low]).mean() < 0.05 * np.abs(spectrum(own)[~low]).mean()


def test_histogram_matching_gives_the_other_images_quantiles():
    own, lent = textured(4), textured(5, level=150, spread=30)
    shares = np.linspace(0.05, 0.95, 10)
    matched, wanted = (np.quantile(image[:, 30:], shares) for image in (match_histogram(own, lent, 1.0), lent))
    np.testing.assert_allclose(matched, wanted, atol=5)
    half = np.quantile(match_histogram(own, lent, 0.5)[:, 30:], 0.5)
    assert np.quantile(own[:, 30:], 0.5) + 15 < half < np.quantile(lent[:, 30:], 0.5) - 15


def test_patch_matching_gives_the_other_images_grain():
    own, lent = (textured(seed, spread=spread)[:, 30:] for seed, spread in ((6, 10), (7, 20)))
    assert fine(match_patches(own, lent, 1.0)) == pytest.approx(fine(lent), rel=0.15)
    assert fine(match_patches(own, lent, 0.0)) == pytest.approx(fine(own), rel=0.02)


def fine(image: np.ndarray) -> float:
    return float((image - cv2.GaussianBlur(image.astype(np.float32), (0, 0), 2)).std())


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (37, 3)])
def test_tiny_and_empty_images_pass(shape: tuple[int, int]):
    for image in (np.zeros(shape, np.uint8), np.full(shape, 200, np.uint8)):
        for other in (np.zeros((5, 5), np.uint8), textured(8)):
            for changed in (
                exchange_amplitude(image, other, 0.03),
                match_histogram(image, other, 1),
                match_patches(image, other, 1),
            ):
                assert changed.shape == shape


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A train image with a dark look and a test image that nothing may be taken from."""
    root = tmp_path_factory.mktemp("looks") / "real"
    with DatasetWriter(root, DatasetManifest(name="real", classes=())) as writer:
        for split, level in (("train", 40.0), ("test", 250.0)):
            image = textured(9, level=level, spread=8)[:, 30:]
            writer.add(id=split, image_HW=image, labels_HW=None, patient=split, split=split)
    return root


def test_a_styled_source_changes_looks_alone(dataset: Path, real: Path):
    plain, styled = DiskSource(dataset), StyledSource(dataset, looks=real, **ALL)
    styled.prepare()
    for seed in range(5):
        before, after = (source.draw(np.random.default_rng(seed)) for source in (plain, styled))
        np.testing.assert_array_equal(before.labels_HW, after.labels_HW)
        np.testing.assert_array_equal(before.landmarks_K3, after.landmarks_K3)
        assert not np.array_equal(before.image_HW, after.image_HW)
        # Only the dark training image lends its look, never the bright one of the test split.
        assert np.abs(after.image_HW.mean() - 40) < np.abs(before.image_HW.mean() - 40)
        again = styled.draw(np.random.default_rng(seed))
        np.testing.assert_array_equal(after.image_HW, again.image_HW)


def test_a_styled_source_without_styles_is_a_plain_one(dataset: Path, real: Path):
    plain, styled = DiskSource(dataset), StyledSource(dataset, looks=real)
    before, after = (source.draw(np.random.default_rng(3)) for source in (plain, styled))
    np.testing.assert_array_equal(before.image_HW, after.image_HW)
    with pytest.raises(UsageError, match="a probability"):
        StyledSource(dataset, looks=real, fourier=1.5)
