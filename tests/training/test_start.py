"""A new run takes over what a trained one knows, by the names of its classes, and says what begins anew."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hipseg.anatomy import CLASS_NAMES
from hipseg.configuration import config_folder
from hipseg.errors import ModelError, UsageError
from hipseg.models.halfres_unet import HalfResUNet
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.models.widening import widened
from hipseg.runtime.models import CHECKPOINT_FILE, MANIFEST_FILE, sha256_of
from hipseg.training.start import start_from

WIDTHS = (4, 4, 8)
RELEASED = config_folder().parent / "models" / "hip-first"
ROWS = 4  # of the head's sub-pixel convolution, a channel


def network(out_channels: int = NUM_OUTPUT_CHANNELS) -> HalfResUNet:
    return HalfResUNet(WIDTHS, out_channels=out_channels)


def release(folder: Path, trained: nn.Module, classes: list[str]) -> Path:
    """A folder as `hipseg export` leaves it, of a version that had these classes."""
    folder.mkdir()
    path = folder / CHECKPOINT_FILE
    save_file({name: value.contiguous() for name, value in trained.state_dict().items()}, path)
    files = {CHECKPOINT_FILE: {"sha256": sha256_of(path)}}
    (folder / MANIFEST_FILE).write_text(json.dumps({"classes": classes, "files": files}))
    return folder


def test_new_classes_begin_anew_beside_what_was_learnt(tmp_path: Path):
    older = [name for name in CLASS_NAMES if name not in ("labrum", "needle")]
    trained, started = network(NUM_OUTPUT_CHANNELS - 2), network()
    random_head = started.head[0].weight.detach().clone()
    (said,) = start_from(started, release(tmp_path / "older", trained, older))
    assert "needle, labrum" in said
    torch.testing.assert_close(started.encoder[0][0].weight, trained.encoder[0][0].weight)
    for position, name in enumerate(CLASS_NAMES):
        rows = slice(ROWS * position, ROWS * (position + 1))
        if name in older:
            theirs = older.index(name)
            expected = trained.head[0].weight[ROWS * theirs : ROWS * (theirs + 1)]
        else:
            expected = random_head[rows]
        assert torch.equal(started.head[0].weight[rows], expected), name
    view = slice(-ROWS, None)
    assert torch.equal(started.head[0].bias[view], trained.head[0].bias[view])


def test_a_renamed_class_begins_anew_though_all_shapes_fit(tmp_path: Path):
    trained, started = network(), network()
    random_head = started.head[0].weight.detach().clone()
    renamed = ["tendon" if name == "labrum" else name for name in CLASS_NAMES]
    (said,) = start_from(started, release(tmp_path / "renamed", trained, renamed))
    assert said.endswith(": labrum")
    rows = slice(ROWS * CLASS_NAMES.index("labrum"), ROWS * (CLASS_NAMES.index("labrum") + 1))
    assert torch.equal(started.head[0].weight[rows], random_head[rows])
    assert torch.equal(started.head[0].weight[: rows.start], trained.head[0].weight[: rows.start])


def test_a_part_may_begin_anew(tmp_path: Path):
    trained, started = network(7), network()
    random_head = started.head[0].weight.detach().clone()
    path = tmp_path / "weights.safetensors"
    save_file({f"network.{name}": value.contiguous() for name, value in trained.state_dict().items()}, path)
    with pytest.raises(ModelError, match=r"weights 'head\.0\.weight' of shape"):
        start_from(network(), path)
    assert start_from(started, path, ["head"]) == ["part 'head' begins anew"]
    assert torch.equal(started.head[0].weight, random_head)
    assert torch.equal(started.encoder[0][0].weight, trained.encoder[0][0].weight)
    with pytest.raises(UsageError, match="no part 'haed'; did you mean 'head'"):
        start_from(network(), path, ["haed"])


def test_a_wide_network_starts_from_a_narrow_one(tmp_path: Path):
    narrow, wide = network().eval(), HalfResUNet((6, 9, 20)).eval()
    for module in narrow.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    (said,) = start_from(wide, release(tmp_path / "narrow", narrow, CLASS_NAMES))
    assert "widened" in said
    image = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        wanted, got = narrow(image), wide(image)
        wide.load_state_dict(widened(narrow.state_dict(), wide.state_dict(), noise=0))
        torch.testing.assert_close(wide(image), wanted, rtol=1e-4, atol=1e-5)
    drift = (got - wanted).square().mean().sqrt() / wanted.std()
    assert 0 < drift < 0.2
    kernels = wide.encoder[2][0].weight
    assert torch.equal(kernels[0], kernels[8])  # copies without noise
    assert start_from(wide, tmp_path / "narrow")
    assert not torch.equal(wide.encoder[2][0].weight[0], wide.encoder[2][0].weight[8])


def test_a_narrow_network_does_not_start_from_a_wide_one(tmp_path: Path):
    with pytest.raises(ModelError, match="of shape"):
        start_from(network(), release(tmp_path / "wide", HalfResUNet((4, 8, 8)), CLASS_NAMES))


def test_another_class_order_is_refused(tmp_path: Path):
    swapped = [CLASS_NAMES[0], CLASS_NAMES[2], CLASS_NAMES[1], *CLASS_NAMES[3:]]
    with pytest.raises(ModelError, match=f"'{CLASS_NAMES[2]}' stands where '{CLASS_NAMES[1]}' does"):
        start_from(network(), release(tmp_path / "swapped", network(), swapped))


def test_weights_changed_since_their_release_are_refused(tmp_path: Path):
    folder = release(tmp_path / "changed", network(), list(CLASS_NAMES))
    assert start_from(network(), folder) == []
    content = bytearray((folder / CHECKPOINT_FILE).read_bytes())
    content[-1] ^= 1
    (folder / CHECKPOINT_FILE).write_bytes(content)
    with pytest.raises(ModelError, match="changed since its release"):
        start_from(network(), folder)


def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path):
    pickled = tmp_path / "weights.pt"
    pickled.write_bytes(pickle.dumps(network()))
    torch.save(network(), tmp_path / "module.ckpt")
    (tmp_path / "model.onnx").write_bytes(b"\x08\x0a\x12\x07pytorch")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    for name in ("weights.pt", "module.ckpt", "model.onnx", "cut.safetensors", "nowhere"):
        with pytest.raises(ModelError, match=name) as caught:
            start_from(network(), tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not RELEASED.is_dir(), reason="no released model in this checkout")
def test_a_run_starts_from_a_released_model(configure):
    from hipseg.training.run import make_task

    training = json.loads((RELEASED / MANIFEST_FILE).read_text())["training_config"]["model"]
    widths = f"model.widths={training['widths']}".replace(" ", "")
    task = make_task(configure(f"init_from={RELEASED}", widths, f"model._target_={training['_target_']}"))
    assert task.network.head[0].weight.std() > 0
    with pytest.raises(ModelError, match=r"weights '.*' of shape"):
        make_task(configure(f"init_from={RELEASED}"))
