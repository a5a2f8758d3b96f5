"""`hipseg simulate`: data sets and clips on disk, the same for the same seed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hipseg import anatomy
from hipseg.cli.main import execute
from hipseg.data.manifest import load_dataset, read_image, read_labels, verify_checksums
from hipseg.io import list_clips, open_source
from hipseg.simulation import Procedure, SimulationConfig, load_scenario
from hipseg.simulation.job import generator


def simulate(*arguments: object) -> int:
    return execute(["simulate", *map(str, arguments)])


def read_masks(archive: Path) -> list[np.ndarray]:
    """The label maps of a clip, in order."""
    with zipfile.ZipFile(archive) as masks:
        return [np.asarray(Image.open(io.BytesIO(masks.read(name)))) for name in sorted(masks.namelist())]


def digests(folder: Path) -> dict[str, str]:
    """What each file below a folder holds."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "frames"
    assert simulate(f"out={folder}", "num_cases=10", "seed=5", "num_workers=1") == 0
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "procedure"
    arguments = (f"out={folder}", "format=dicom", "num_frames=6", "seed=4", "num_workers=1")
    assert simulate(*arguments) == 0
    return folder


def test_a_data_set_loads_whole_with_all_its_truth(dataset: Path) -> None:
    manifest, cases = load_dataset(dataset)
    verify_checksums(dataset, cases)
    assert manifest.classes == anatomy.CLASS_NAMES
    assert {case.split for case in cases} == {"train", "val", "test"}
    assert len({case.patient for case in cases}) == len(cases) == 10
    for case in cases:
        labels_HW = read_labels(dataset, case)
        assert labels_HW is not None
        assert read_image(dataset, case).shape == labels_HW.shape
        assert case.hip_view is True
        assert case.spacing_mm is not None
        assert set(case.landmarks or {}) == set(anatomy.LANDMARKS)
    assert (dataset / "preview.webp").is_file()


def test_the_number_of_workers_changes_nothing(dataset: Path, tmp_path: Path) -> None:
    assert simulate(f"out={tmp_path}/two", "num_cases=10", "seed=5", "num_workers=2") == 0
    assert digests(tmp_path / "two") == digests(dataset)


def test_a_case_depends_on_seed_and_number_alone(dataset: Path, tmp_path: Path) -> None:
    assert simulate(f"out={tmp_path}/few", "num_cases=3", "seed=5", "num_workers=1") == 0
    few = digests(tmp_path / "few")
    assert all(digests(dataset)[name] == digest for name, digest in few.items() if name.startswith(("images", "masks")))


def test_results_are_not_overwritten_unasked(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(dataset)
    assert simulate(f"out={dataset}", "num_cases=2", "num_workers=1") == 2
    assert "already holds" in capsys.readouterr().err
    assert digests(dataset) == before


def test_a_clip_opens_as_a_recording_with_its_exact_scale(clip: Path) -> None:
    clips = list_clips(str(clip))
    assert len(clips) == 1
    source = open_source(clips[0].spec)
    truth = [json.loads(line) for line in (clip / "procedure_0000.truth.jsonl").read_text().splitlines()]
    masks = read_masks(clip / "procedure_0000.masks.zip")
    frames = list(source.frames())
    assert len(frames) == len(truth) == len(masks) == 6
    scenario = load_scenario("uneventful_longitudinal")
    procedure = Procedure(scenario, SimulationConfig(), generator(4, 0), num_frames=6)
    for index, frame in enumerate(frames):
        simulated = procedure.frame(index)
        assert frame.spacing is not None
        assert (frame.spacing.row_mm, frame.spacing.column_mm) == pytest.approx(truth[index]["spacing_mm"], abs=1e-9)
        assert frame.time_s == pytest.approx(truth[index]["time_s"])
        assert np.array_equal(masks[index], simulated.labels_HW)
        # JPEG at quality 92 keeps grey levels to within a few.
        assert np.abs(frame.image_HW.astype(int) - simulated.image_HW).mean() < 3
    source.close()


def test_clips_are_the_same_again_and_go_on_where_they_stopped(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    arguments = (f"out={folder}", "format=dicom", "num_frames=6", "seed=4", "num_workers=1")
    assert simulate(*arguments) == 0
    assert digests(folder) == digests(clip)
    # As after a kill before the clip's truth was written.
    record = json.loads((folder / "simulation.json").read_text())
    (folder / "simulation.json").write_text(json.dumps({**record, "finished": False}))
    (folder / "procedure_0000.truth.jsonl").unlink()
    assert simulate(*arguments) == 0
    assert digests(folder) == digests(clip)
    assert simulate(*arguments) == 2
    assert simulate(*arguments, "overwrite=true") == 0
    assert digests(folder) == digests(clip)


@pytest.mark.parametrize("format_", ["mp4", "png"])
def test_other_formats_open_too(format_: str, tmp_path: Path) -> None:
    folder = tmp_path / format_
    assert simulate(f"out={folder}", f"format={format_}", "num_frames=4", "num_workers=1") == 0
    (only,) = list_clips(str(folder))
    source = open_source(only.spec)
    assert len(list(source.frames())) == 4
    source.close()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("dear to me")
    assert simulate(f"out={tmp_path}", "format=png", "num_frames=2") == 2
    assert "not empty" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "dear to me"


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("num_case=3", "num_cases"),
        ("num_cases=0", "num_cases"),
        ("num_workers=none", "num_workers"),
        ("format=dicoms", "dicom"),
        ("simulation=obes", "obese"),
        ("simulation.depht_mm=[20,40]", "depth_mm"),
        ("simulation.depth_mm=[40,20]", "depth_mm"),
        ("simulation.needle_share=often", "needle_share"),
        ("simulation.view=coronal", "transverse"),
        ("scenario=artery_in_pathh", "artery_in_path"),
        ("scenario=[effusion,efusion]", "effusion"),
        ("scenario=3", "list of names"),
        ("clip_frames=8", "scenario=all"),
        ("num_frames=8", "clip_frames"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(
    argument: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(f"out={tmp_path}/none", argument) == 2
    message = capsys.readouterr().err
    assert hint in message
    assert len(message.splitlines()) == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("population", ["default", "longitudinal", "transverse", "obese"])
def test_every_population_of_the_configurations_composes(population: str) -> None:
    from hipseg.configuration import compose
    from hipseg.simulation.job import SimulateConfig, job_of

    job = job_of(compose("simulate", ["out=x", f"simulation={population}"], schema=SimulateConfig))
    if population == "default":
        assert job.simulation == SimulationConfig()
