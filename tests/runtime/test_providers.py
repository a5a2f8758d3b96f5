"""The provider that was asked for, or a refusal; several sessions side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from grey_model import grey_of, write_grey_model

from hipseg.errors import UsageError
from hipseg.runtime.providers import PROVIDERS, available_providers
from hipseg.runtime.session import Session


@pytest.fixture(scope="module")
def grey_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grey_model(tmp_path_factory.mktemp("grey"))


def test_the_cpu_is_always_there() -> None:
    assert available_providers()[-1] == "cpu"


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_a_provider_runs_or_is_refused_but_never_replaced(provider: str, grey_model: Path) -> None:
    if provider in available_providers():
        assert Session(grey_model, provider=provider).provider == provider
        return
    with pytest.raises(UsageError, match=f"'{provider}' is not part of the installed onnxruntime.*install") as fault:
        Session(grey_model, provider=provider)
    assert fault.value.exit_code == 2


def test_a_provider_whose_driver_is_missing_is_refused(grey_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a CUDA build on a machine without a GPU: it is listed, and the session comes up on the CPU."""
    listed = [PROVIDERS["cuda"], *onnxruntime.get_available_providers()]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    with pytest.raises(UsageError, match="'cuda' cannot be started on this machine"):
        Session(grey_model, provider="cuda")
    assert Session(grey_model, provider="auto").provider == "cpu"


def test_the_cold_start_is_measured_and_changes_nothing(grey_model: Path) -> None:
    image_HW = grey_of(np.full((60, 80), 3, np.uint8))
    with Session(grey_model) as cold, Session(grey_model) as warm:
        assert cold.load_ms > 0
        assert warm.warm_up(60, 80) > 0
        np.testing.assert_array_equal(warm.segment(image_HW).labels_HW, cold.segment(image_HW).labels_HW)


def test_sessions_side_by_side_do_not_mix_up_their_frames(grey_model: Path) -> None:
    def follow(class_id: int) -> bool:
        with Session(grey_model, num_threads=2) as session:
            images = [grey_of(np.full((40 + k, 60), class_id, np.uint8)) for k in range(30)]
            return all((session.segment(image_HW).labels_HW == class_id).all() for image_HW in images)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(follow, (1, 3, 5, 7)))
