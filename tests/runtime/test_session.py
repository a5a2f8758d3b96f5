"""Models that are run, and files that are refused in one line each."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from grey_model import grey_of, write_grey_model

from hipseg import anatomy
from hipseg.errors import ModelError, UsageError
from hipseg.runtime.contract import METADATA_KEY
from hipseg.runtime.session import Session
from hipseg.runtime.threads import usable_cores

Change = Callable[[onnx.ModelProto], object]


@pytest.fixture(scope="module")
def grey_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grey_model(tmp_path_factory.mktemp("grey"))


def changed(grey_model: Path, folder: Path, change: Change) -> Path:
    """A copy of the model with something done to it."""
    model = onnx.load(grey_model)
    change(model)
    path = folder / "changed.onnx"
    onnx.save(model, path)
    return path


def test_an_image_is_segmented_at_its_own_size(grey_model: Path) -> None:
    labels_HW = np.zeros((90, 130), np.uint8)
    labels_HW[20:50, 10:40], labels_HW[60, 100] = anatomy.FEMORAL_HEAD, anatomy.NEEDLE
    with Session(grey_model) as session:
        segmentation = session.segment(grey_of(labels_HW))
    np.testing.assert_array_equal(segmentation.labels_HW, labels_HW)
    assert segmentation.probabilities_CHW.shape == (anatomy.NUM_CLASSES, 128, 128)
    assert (segmentation.grid.height, segmentation.grid.width, segmentation.grid.size) == (90, 130, 128)
    tip = segmentation.landmarks["needle_tip"]
    assert (tip.x_px, tip.y_px, tip.visibility) == (100, 60, 1)
    assert segmentation.view_score == pytest.approx(0.97)


def test_a_part_of_a_larger_frame_is_segmented_as_its_copy_is(grey_model: Path) -> None:
    frame_HW = np.random.default_rng(0).integers(0, 256, (80, 100)).astype(np.uint8)
    with Session(grey_model) as session:
        part = session.segment(frame_HW[10:60, 20:90])
        copy = session.segment(frame_HW[10:60, 20:90].copy())
    np.testing.assert_array_equal(part.labels_HW, copy.labels_HW)


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_is_no_grey_image_is_refused(grey_model: Path, image: np.ndarray) -> None:
    with Session(grey_model) as session, pytest.raises(ValueError, match="expected uint8"):
        session.segment(image)


def test_a_session_says_what_it_runs_on(grey_model: Path) -> None:
    with Session(grey_model) as session:
        assert session.contract.name == "grey"
        assert session.provider == "cpu"
        assert session.num_threads == usable_cores()
        assert re.fullmatch("[0-9a-f]{64}", session.sha256)
    session.close()


@pytest.mark.parametrize("num_threads", [0, -1, True, 2.0, "2", 1000])
def test_a_senseless_number_of_threads_is_refused(grey_model: Path, num_threads: int) -> None:
    with pytest.raises(UsageError, match="expected a whole number"):
        Session(grey_model, num_threads=num_threads)


def test_a_provider_is_never_replaced_in_silence(grey_model: Path) -> None:
    with pytest.raises(UsageError, match="unknown provider 'gpu'"):
        Session(grey_model, provider="gpu")


@pytest.mark.parametrize("content", [b"", b"just some text\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(200)])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "renamed.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"renamed\.onnx: .*expected a model written by 'hipseg export'"):
        Session(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_truncated_model_is_refused(grey_model: Path, tmp_path: Path, share: float) -> None:
    content = grey_model.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        Session(path)


def _drop_metadata(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


def _set_metadata(model: onnx.ModelProto) -> None:
    onnx.helper.set_model_props(model, {METADATA_KEY: '{"contract_version": 9}'})


def _drop_view_score(model: onnx.ModelProto) -> None:
    model.graph.output.pop()


def _rename_image(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "picture"
    for node in model.graph.node:
        node.input[:] = ["picture" if name == "image" else name for name in node.input]


def _fix_height(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 480


def _take_floats(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT


def _ask_for_more(model: onnx.ModelProto) -> None:
    model.graph.input.append(onnx.helper.make_tensor_value_info("threshold", onnx.TensorProto.FLOAT, [1]))


def _use_unknown_operation(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Frobnicate"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop_metadata, "without metadata 'hipseg.contract'"),
        (_set_metadata, "contract version 9; expected version 1"),
        (_drop_view_score, r"no output 'view_score'; expected float \[N\]"),
        (_rename_image, r"no input 'image'; expected uint8 \[N, H, W\]"),
        (_fix_height, r"input 'image' is uint8 \[N, 480, W\]; expected uint8 \[N, H, W\]"),
        (_take_floats, r"input 'image' is float \[N, H, W\]; expected uint8"),
        (_ask_for_more, "an input 'threshold' that its contract does not tell of; expected 'image' alone"),
        (_use_unknown_operation, "can be loaded .*Frobnicate"),
    ],
)
def test_a_model_that_is_not_of_the_contract_is_refused(
    grey_model: Path, tmp_path: Path, change: Change, message: str
) -> None:
    with pytest.raises(ModelError, match=message) as fault:
        Session(changed(grey_model, tmp_path, change))
    assert fault.value.exit_code == 4
    assert "\n" not in str(fault.value)


def _divide_score_by_nothing(model: onnx.ModelProto) -> None:
    last = model.graph.node[-1]
    last.op_type = "Div"
    last.input[:] = ["seen_f", "zero"]


def test_numbers_that_are_none_never_pass_for_a_segmentation(grey_model: Path, tmp_path: Path) -> None:
    session = Session(changed(grey_model, tmp_path, _divide_score_by_nothing))
    with pytest.raises(ModelError, match="output 'view_score' is not finite"):
        session.segment(np.zeros((40, 40), np.uint8))


def test_a_refusal_leaves_no_noise_of_onnxruntime_behind(grey_model: Path, tmp_path: Path) -> None:
    path = changed(grey_model, tmp_path, _use_unknown_operation)
    code = f"""
from hipseg.errors import ModelError
from hipseg.runtime.session import Session
try:
    Session({str(path)!r})
except ModelError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
