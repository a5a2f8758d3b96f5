"""`hipseg data` as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hipseg.cli.main import execute


def test_list_shows_images_and_classes_by_split(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["data", "list", str(dataset)]) == 0
    shown = capsys.readouterr().out
    cells = [[cell.strip() for cell in line.split("│")[1:5]] for line in shown.splitlines() if "│" in line]
    rows = {name: numbers for name, *numbers in cells}
    assert rows["images"] == ["4", "1", "1"]
    assert rows["femoral head"] == ["4", "1", "1"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["import", "femorl", "--source", "{tmp}", "--out", "{tmp}/out"], 2, "did you mean 'femoral'"),
        (["import", "femoral", "--source", "{tmp}", "--out", "{tmp}/out"], 3, "holds no '*.json'"),
        (["import", "muscle", "--source", "{tmp}"], 2, "--out"),
        (["list", "{tmp}/nowhere"], 3, "manifest.json: cannot be read"),
    ],
)
def test_refusals_are_one_line_with_the_right_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], exit_code: int, message: str
) -> None:
    filled = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    assert execute(["data", *filled]) == exit_code
    refusal = capsys.readouterr().err.strip().splitlines()[-1]
    assert refusal.startswith("hipseg: ")
    assert message in refusal
    assert not (tmp_path / "out").exists()
