"""What labels mean, who people are, and what comes out of an archive."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tool_exports import blocks, write_mapping

from hipseg import anatomy
from hipseg.anatomy import CLASS_NAMES, STRUCTURES, Code
from hipseg.data.importers.archives import unpacked
from hipseg.data.importers.drawing import Drawing, SourceCase, SourceFrame
from hipseg.data.importers.mapping import load_mapping, mapping_of
from hipseg.data.importers.painting import annotated_classes, paint
from hipseg.data.importers.persons import ids_of, load_salt, patients_of, pseudonym
from hipseg.data.importers.proposing import mapping_text, propose
from hipseg.errors import SourceError, UsageError


def target_of(label: str, code: Code | None = None) -> tuple[tuple[str, ...], bool]:
    proposal = propose({label: code})[label]
    return proposal.target.names, proposal.is_sure


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: structure.name)
def test_every_structure_is_known_by_its_name_in_any_spelling(structure: anatomy.Structure) -> None:
    for spelling in (structure.name, structure.title.title(), structure.title.upper(), f"{structure.name}_1"):
        assert target_of(spelling) == ((structure.name,), True)


@pytest.mark.parametrize("structure", STRUCTURES[1:], ids=lambda structure: structure.name)
def test_every_structure_is_known_by_its_code(structure: anatomy.Structure) -> None:
    code = structure.code or Code(structure.name.upper()[:16], "99HIPSEG", "")
    assert target_of("Segment_1", code) == ((structure.name,), True)


def test_likeness_is_a_guess_and_the_rest_is_unknown() -> None:
    assert target_of("vessels") == (("femoral_artery", "femoral_vein"), True)
    assert target_of("femoral hed") == (("femoral_head",), False)
    assert target_of("bone") == (("femoral_head", "femoral_neck"), False)
    assert target_of("sartorius") == (("unknown",), False)
    assert target_of("Left Femoral-Head") == (("femoral_head",), True)


@given(st.lists(st.text(min_size=1, max_size=12), max_size=6, unique=True))
def test_a_proposed_mapping_is_a_valid_file_with_the_same_labels(labels: list[str]) -> None:
    content = yaml.safe_load(mapping_text(propose(dict.fromkeys(labels))))
    mapping = mapping_of(content, where="here")
    assert {label: mapping.labels[label].names for label in labels} == {label: target_of(label)[0] for label in labels}


def test_a_merged_label_takes_an_id_that_means_nothing_else() -> None:
    mapping = mapping_of(
        {"labels": {"artery": "femoral_artery", "vessel": ["femoral_artery", "femoral_vein"]}}, where=""
    )
    assert mapping.merged == {"femoral_vein": ("femoral_artery", "femoral_vein")}
    assert mapping.classes_of(mapping.labels) == ("femoral_artery", "femoral_vein")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds no 'labels'"),
        ({"labels": {"a": "femoral_hed"}}, "label 'a': 'femoral_hed' is no class; did you mean 'femoral_head'"),
        ({"labels": {"a": ["needle", "ignore"]}}, "cannot be merged"),
        ({"labels": {"a": []}}, "stands for nothing"),
        ({"labels": {}, "ocluded": "draw"}, "unknown key 'ocluded'; did you mean 'occluded'"),
        ({"labels": {}, "empty": "negativ"}, "did you mean 'negative'"),
        ({"labels": {}, "version": 3}, "version 3; expected version 1"),
        ({"labels": {"a": {"class": "needle", "width": 3}}}, "unknown key 'width'"),
        ({"labels": {"a": {"class": "needle", "width_px": -3}}}, "width_px: is -3"),
        ({"labels": {}, "fraction": "half"}, "fraction: is half"),
        (
            {"labels": {"a": "femoral_artery", "v": "femoral_vein", "x": ["femoral_artery", "femoral_vein"]}},
            "label 'x' may be any of",
        ),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError) as refused:
        load_mapping(tmp_path / "m.yaml")
    assert message in str(refused.value)


def test_a_mapping_that_is_no_yaml_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("labels: [")
    with pytest.raises(UsageError, match="not YAML"):
        load_mapping(tmp_path / "m.yaml")
    with pytest.raises(UsageError, match="cannot be read"):
        load_mapping(tmp_path / "gone.yaml")


def test_what_is_unknown_is_not_drawn_what_is_ignored_lies_on_top_and_only_what_was_looked_for_is_known(
    tmp_path: Path,
) -> None:
    labels = {"vein": "femoral_vein", "muscle": "background", "blur": "ignore", "thing": "unknown", "n": "needle"}
    mapping = load_mapping(write_mapping(tmp_path / "m.yaml", labels))
    names = ["blur", "vein", "muscle", "thing", "n"]
    boxes = [(1, 0, 10, 0, 10), (1, 5, 20, 0, 10), (1, 15, 30, 0, 10), (1, 40, 50, 0, 10), (1, 2, 18, 4, 6)]
    drawings = [Drawing(name, blocks(box) == 1) for name, box in zip(names, boxes, strict=True)]
    frame = SourceFrame(blocks(), drawings, looked_for=frozenset(["vein", "blur"]))
    painted = paint(frame, mapping, where="here")
    expected = blocks((6, 10, 15, 0, 10), (4, 10, 18, 4, 6), (255, 0, 10, 0, 10))
    assert (painted.labels_HW == expected).all()
    assert annotated_classes(frame, mapping) == ("femoral_vein",)


def case(name: str, **fields: Any) -> SourceCase:
    return SourceCase(name, lambda: pytest.fail("nothing is read"), **fields)


def test_nobody_is_named_and_the_same_person_is_one_patient() -> None:
    cases = [
        case("Doe_Jane_01", person="4711", private=("Doe^Jane",)),
        case("other/scan_4711", person="4711"),
        case("scan_9", person="12"),
    ]
    first, second, third = patients_of(cases, None, b"salt")
    assert first == second == pseudonym("4711", b"salt")
    assert third not in (first, pseudonym("12", b"another salt"))
    for id in ids_of(cases, None, b"salt"):
        assert not any(word in id for word in ("Doe", "Jane", "4711"))


def test_a_pattern_tells_persons_and_strangers_go_by_runs() -> None:
    cases = [case("anna/us_1"), case("anna/us_2"), case("bert/us_1")]
    assert len(set(patients_of(cases, r"^(\w+)/", b"s"))) == 2
    assert all(id.startswith("p_") and "anna" not in id for id in ids_of(cases[:2], r"^(\w+)/", b"s"))
    with pytest.raises(SourceError, match="nobody is found in this name"):
        patients_of(cases, r"patient(\d+)", b"s")
    strangers = [case(f"a/us_{number}") for number in (1, 2, 3, 7, 8)] + [case("b/us_4"), case("c", clip="c")]
    groups = patients_of(strangers, None, b"s")
    assert groups[:3] == [groups[0]] * 3
    assert groups[3] == groups[4] != groups[0]
    assert len(set(groups)) == 4


def test_ids_are_safe_and_unique() -> None:
    names = ["a/b c", "a/b_c", "A/b_c", "../x", "ü" * 3, "n" * 300, "n" * 301]
    ids = ids_of([case(name) for name in names], None, b"s")
    assert len({id.casefold() for id in ids}) == len(names)
    assert all(len(id) < 100 and not id.startswith(".") for id in ids)


def test_the_salt_is_a_secret_of_the_user_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIPSEG_SALT")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    salt = load_salt()
    assert salt == load_salt()
    assert len(salt) == 64
    assert stat.S_IMODE((tmp_path / "hipseg" / "salt").stat().st_mode) == 0o600


def archive(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(info, target)
    return path


def test_an_archive_is_unpacked_without_what_is_hostile_in_it(tmp_path: Path) -> None:
    members = {"good/a.txt": b"a", "../evil.txt": b"e", "/root.txt": b"r", "c:\\x.txt": b"c", "zeros": bytes(80 << 20)}
    source = archive(tmp_path / "in.zip", members, {"link": "/etc/passwd"})
    with unpacked(source, tmp_path / "near") as (folder, refusals):
        assert [path.name for path in folder.rglob("*") if path.is_file()] == ["a.txt"]
        assert [refusal.case for refusal in refusals] == ["../evil.txt", "/root.txt", "c:\\x.txt", "zeros", "link"]
        reasons = {refusal.case: refusal.reason for refusal in refusals}
    assert "leads out of the folder" in reasons["../evil.txt"]
    assert "unpacks from" in reasons["zeros"]
    assert "is a link" in reasons["link"]
    assert list((tmp_path / "near").iterdir()) == []
    assert not (tmp_path / "evil.txt").exists()


def test_a_member_that_lies_about_its_size_stops_where_it_said(tmp_path: Path) -> None:
    source = archive(tmp_path / "in.zip", {"zeros": bytes(80 << 20), "good": b"g"})
    content = bytearray(source.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # claim 100 bytes in both headers
        start = content.index(mark) + offset
        content[start : start + 4] = (100).to_bytes(4, "little")
    source.write_bytes(bytes(content))
    with unpacked(source, tmp_path / "near") as (folder, refusals):
        assert (folder / "good").read_bytes() == b"g"
        assert [refusal.case for refusal in refusals] == ["zeros"]


def test_broken_and_missing_archives_are_refused(tmp_path: Path) -> None:
    source = archive(tmp_path / "in.zip", {"a": os.urandom(5000)})
    content = bytearray(source.read_bytes())
    content[40:4000] = bytes(3960)
    source.write_bytes(bytes(content))
    with unpacked(source, tmp_path) as (_, refusals):
        assert "cannot be unpacked" in next(iter(refusals)).reason
    with pytest.raises(SourceError, match="does not exist"), unpacked(tmp_path / "gone.zip", tmp_path):
        pass


def test_the_names_a_mapping_knows_are_those_of_the_label_scheme() -> None:
    for name in CLASS_NAMES[1:]:
        assert mapping_of({"labels": {"x": name}}, where="").class_of("x") == name
