"""Every store gives the same pixels; a mapped one is whole, follows its files, and leaves the training as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hip_scenes import write_hips

from hipseg.data.augment import Augmentation, AugmentConfig
from hipseg.data.pixel_store import CACHE_FOLDER, DecodingStore, MappedStore, choose_store
from hipseg.data.reading import load_dataset
from hipseg.data.sources import CaseReader, DiskSource
from hipseg.data.stream import SampleStream
from hipseg.errors import SourceError, UsageError


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hips(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def hips(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "hips"))


@pytest.mark.parametrize("store", ["mapped", "memory", "none"])
def test_stores_change_nothing(hips: Path, store: str) -> None:
    plain, stored = CaseReader(hips, "train", store="none"), CaseReader(hips, "train", store=store)
    for index in range(len(plain)):
        one, other = plain.sample(index), stored.sample(index)
        np.testing.assert_array_equal(one.image_HW, other.image_HW)
        np.testing.assert_array_equal(one.labels_HW, other.labels_HW)
        np.testing.assert_array_equal(one.landmarks_K3, other.landmarks_K3)


def test_the_stream_is_the_same_from_every_store(hips: Path) -> None:
    def stream(store: str) -> SampleStream:
        strong = AugmentConfig(flip=0.5, crop=0.2, rotation_deg=10, warp=0.5, look=0.5, needle=0.5)
        sources = {"hips": DiskSource(hips, store=store)}
        return SampleStream(sources, {"hips": 1}, Augmentation(strong), grid_size=64, seed=0, negatives=0.2)

    one, other = stream("memory"), stream("mapped")
    for k in range(12):
        assert torch.equal(one[k]["image"], other[k]["image"])
        assert torch.equal(one[k]["labels"], other[k]["labels"])


def test_a_mapped_store_is_made_once_and_again_when_a_file_changes(hips: Path) -> None:
    CaseReader(hips, "train", store="mapped")
    (made,) = (hips / CACHE_FOLDER).glob("*.pixels")
    stamp = made.stat().st_mtime_ns
    CaseReader(hips, "train", store="mapped")
    assert made.stat().st_mtime_ns == stamp
    shutil.copy(hips / "images" / "case_1.png", hips / "images" / "case_0.png")
    reader = CaseReader(hips, "train", store="mapped")
    (again,) = (hips / CACHE_FOLDER).glob("*.pixels")
    assert again != made
    np.testing.assert_array_equal(reader.sample(0).image_HW, reader.sample(1).image_HW)


def test_a_store_that_cannot_be_finished_leaves_nothing(hips: Path) -> None:
    (hips / "images" / "case_3.png").write_bytes(b"broken")
    with pytest.raises(SourceError, match=r"case_3\.png"):
        CaseReader(hips, "train", store="mapped")
    assert list((hips / CACHE_FOLDER).iterdir()) == []


def test_large_images_are_shrunk_and_truth_follows(hips: Path) -> None:
    full, small = CaseReader(hips, "train"), CaseReader(hips, "train", longest_side=160)
    one, other = full.sample(0), small.sample(0)
    assert other.image_HW.shape == other.labels_HW.shape == (120, 160)
    assert other.spacing_mm == pytest.approx((0.4, 0.4))
    np.testing.assert_allclose(other.landmarks_K3[0, :2], (one.landmarks_K3[0, :2] + 0.5) / 2 - 0.5)
    for id in (1, 5):
        rows, columns = np.nonzero(one.labels_HW == id)
        small_rows, small_columns = np.nonzero(other.labels_HW == id)
        assert small_rows.mean() == pytest.approx((rows.mean() + 0.5) / 2 - 0.5, abs=0.4)
        assert small_columns.mean() == pytest.approx((columns.mean() + 0.5) / 2 - 0.5, abs=0.4)


def test_the_store_is_chosen_by_what_decoding_takes(hips: Path) -> None:
    _, cases = load_dataset(hips)
    decoding = DecodingStore(hips, cases, None)

    def chosen(seconds_of_all: float, num_bytes: int = 1 << 30) -> str:
        ticks = iter((0.0, seconds_of_all))
        return choose_store(hips, decoding, len(cases), num_bytes, clock_s=lambda: next(ticks))

    assert chosen(0.5) == "memory"
    assert chosen(60.0) == "mapped"
    assert chosen(0.5, num_bytes=1000) == "mapped"


def test_two_trainings_may_map_the_same_file(hips: Path) -> None:
    _, cases = load_dataset(hips)
    decoding = DecodingStore(hips, cases, None)
    one, other = (MappedStore(decoding, hips, cases, None) for _ in range(2))
    one[0].image_HW[:] = 0  # pages are copied before they are written
    assert other[0].image_HW.any()


def test_a_mistyped_store_is_refused(hips: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'mapped'"):
        CaseReader(hips, "train", store="maped")
