"""`hipseg benchmark data` compares like with like: every library gives image and mask of the grid's size."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from hipseg.cli.main import execute
from hipseg.evaluation import loading, loading_rivals


@pytest.mark.parametrize("name", sorted(loading_rivals.RIVALS))
def test_rivals_give_an_image_and_its_mask(name: str) -> None:
    if name == "torchio":
        pytest.importorskip("torchio")
    labels_HW = np.zeros((120, 160), np.uint8)
    labels_HW[30:90, 40:120] = 5
    transform = loading_rivals.RIVALS[name](64)
    for _ in range(4):
        done = transform((50 + 30 * labels_HW, labels_HW))
        assert done["image"].shape == (1, 64, 64)
        assert done["image"].dtype == torch.float32
        assert done["labels"].shape == (64, 64)
        assert done["labels"].dtype == torch.int64
        assert set(done["labels"].unique().tolist()) <= {0, 5}


def test_the_benchmark_prints_its_figures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(loading, "RIVALS", {})
    monkeypatch.setattr(loading, "_NUM_CASES", 3)
    assert execute(["benchmark", "data", "--workers", "0", "--batches", "2", "--rounds", "1"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["frames_per_s"]["hipseg"] > 0
    assert figures["cpu_ms_per_frame"]["hipseg"] > 0
    assert set(figures["store_ms_per_case"]) == {"none", "memory", "mapped"}
    assert figures["frames"] == 32


def test_bad_options_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["benchmark", "data", "--preset", "strnog"]) == 2
    assert "did you mean 'strong'" in capsys.readouterr().err
    assert execute(["benchmark", "data", "/nowhere"]) == 3
    assert "manifest.json" in capsys.readouterr().err
