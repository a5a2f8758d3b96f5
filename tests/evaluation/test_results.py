"""Tables that come back as they were written, and broken ones that are refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from hipseg.errors import SourceError
from hipseg.evaluation.results import Results


@pytest.fixture
def results() -> Results:
    return Results.of_rows(
        [
            {"case": "a", "clip": "a", "patient": "p1", "split": "test", "hip_view": True, "status": "ok"},
            {"case": "b", "clip": "c", "frame": 3, "patient": "p2", "depth_mm": 41.25, "status": "ok"},
            {"case": "c", "clip": "c", "frame": 4, "patient": "p2", "status": "no prediction"},
        ],
        [
            {"case": "a", "structure": "needle", "metric": "hd95", "unit": "mm", "value": 1 / 3},
            {"case": "b", "structure": "needle", "metric": "hd95", "unit": "px", "value": 7.0},
        ],
        record={"model": {"name": "a model"}},
    )


def test_tables_come_back_as_they_were_written(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "new" / "folder")
    again = Results.read(tmp_path / "new" / "folder")
    for name in ("cases", "measures", "calibration"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(results, name))
    assert again.record == results.record
    csv = pd.read_csv(tmp_path / "new" / "folder" / "measures.csv")
    assert csv["value"].tolist() == [1 / 3, 7.0]


def test_two_writes_give_the_same_bytes(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "one")
    results.write(tmp_path / "other")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) == 7
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes() for name in names)


def test_millimetres_and_pixels_are_kept_apart_and_exclusions_stay_visible(results: Results) -> None:
    assert results.values("needle", "hd95")["case"].tolist() == ["a", "b"]
    assert results.values("needle", "hd95", unit="mm")["case"].tolist() == ["a"]
    assert results.excluded["status"].tolist() == ["no prediction"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.json", None),
        ("results.json", b"[1]"),
        ("results.json", b"[" * 100_000),
        ("cases.parquet", None),
        ("cases.parquet", b"PAR1"),
        ("measures.parquet", b""),
    ],
)
def test_broken_folders_are_refused(results: Results, tmp_path: Path, name: str, content: bytes | None) -> None:
    results.write(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=r"results\.json|parquet"):
        Results.read(tmp_path)


def test_contradicting_tables_are_refused(results: Results, tmp_path: Path) -> None:
    doubled = Results(pd.concat([results.cases, results.cases]), results.measures)
    doubled.write(tmp_path / "doubled")
    with pytest.raises(SourceError, match="stands twice"):
        Results.read(tmp_path / "doubled")
    Results(results.cases.iloc[1:], results.measures).write(tmp_path / "unknown")
    with pytest.raises(SourceError, match="unknown case 'a'"):
        Results.read(tmp_path / "unknown")
