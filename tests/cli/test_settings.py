"""Settings from defaults, a file and the command line, and how mistakes in them are answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from hipseg.cli.settings import Settings, is_assignment, read_settings
from hipseg.errors import UsageError
from hipseg.guidance.config import Approach, Priority

SHIPPED = Path(__file__).resolve().parents[2] / "configs" / "guidance" / "default.yaml"


def test_the_shipped_file_lists_every_setting_at_its_default() -> None:
    shipped = OmegaConf.to_container(OmegaConf.merge(OmegaConf.structured(Settings()), OmegaConf.load(SHIPPED)))
    assert shipped == OmegaConf.to_container(OmegaConf.structured(Settings()))

    def keys(node: object, prefix: str = "") -> set[str]:
        return (
            set().union(*({f"{prefix}{k}"} | keys(v, f"{prefix}{k}.") for k, v in node.items()))
            if isinstance(node, dict)
            else set()
        )

    assert keys(OmegaConf.to_container(OmegaConf.load(SHIPPED))) == keys(shipped)


def test_a_later_value_wins(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("guidance:\n  view_check: off\n  alerts:\n    vessel_contact: {raise_at: 2.5}\n")
    settings = read_settings(
        file, ["guidance.alerts.vessel_contact.raise_at=2.75", "guidance.target.approach=transverse"]
    )
    assert not settings.guidance.view_check
    assert settings.guidance.alerts.vessel_contact.raise_at == 2.75
    assert settings.guidance.alerts.vessel_contact.priority is Priority.high
    assert settings.guidance.target.approach is Approach.transverse


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("guidance.veiw_check=off", "did you mean 'guidance.view_check'?"),
        ("view_check=off", "did you mean 'guidance.view_check'?"),
        ("guidance.view_check=maybe", "not a valid bool"),
        ("guidance.view_check=", "'None' for field of type 'bool'"),
        ("guidance.view_check=${nothing}", "'nothing' not found"),
        ("guidance.view_check=[1", "KEY=VALUE"),
        ("guidance=3", "is a group of settings"),
        ("guidance.alerts.vessel_contact=3", "is a group of settings"),
        ("guidance.alerts.vessel_contact=null", "is a group of settings"),
        ("guidance.alerts.vessel_contact.raise_at=near", "could not be converted to Float"),
        ("guidance.alerts.vessel_contact.raise_at=-3", "out of range"),
        ("guidance.alerts.vessel_contact.raise_at=nan", "out of range"),
        ("guidance.alerts.vessel_contact.raise_at=5", "clear_at at least raise_at"),
        ("guidance.alerts.steep_angle.raise_at=50", "clear_at at most raise_at"),
        ("guidance.alerts.steep_angle.raise_frames=0", "out of range"),
        ("guidance.alerts.vessel_contact.priority=urgent", "one of [high, medium, low]"),
        ("guidance.alerts.off_target_clear_deg=6", "at most off_target_deg"),
        ("guidance.needle.min_probability=30", "out of range"),
    ],
)
def test_a_mistake_is_refused_in_one_line(assignment: str, says: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_settings(None, [assignment])
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", ["- 1\n- 2\n", "guidance: [", "just text", "\x00"], ids=repr)
def test_a_file_that_holds_no_settings_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"broken\.yaml"):
        read_settings(file, [])


def test_a_missing_or_misspelt_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read_settings(tmp_path / "none.yaml", [])
    file = tmp_path / "mine.yaml"
    file.write_text("guidance:\n  needel: {}\n")
    with pytest.raises(UsageError, match=r"mine\.yaml.*did you mean 'guidance\.needle'"):
        read_settings(file, [])


def test_an_argument_is_an_assignment_unless_it_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip=2").touch()
    assert is_assignment("guidance.view_check=off")
    assert not is_assignment("clip=2")
    assert not is_assignment("folder/clip.mp4")
    assert not is_assignment("igtl://host:18944/device=3")
