"""What docs/data-import.md shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from hipseg.anatomy import CLASS_NAMES
from hipseg.configuration import config_folder
from hipseg.data.importers.formats import FORMATS
from hipseg.data.importers.mapping import mapping_of

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "data-import.md").read_text()


def test_the_mapping_file_shown_is_valid() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    mapping = mapping_of(yaml.safe_load(shown), where="docs")
    assert mapping.merged == {"femoral_artery": ("femoral_artery", "femoral_vein")}
    assert mapping.to_dict() == yaml.safe_load(shown)


def test_every_format_class_and_recipe_is_named() -> None:
    assert [name for name in FORMATS if f"`{name}`" not in TEXT] == []
    assert " ".join(CLASS_NAMES[1:]) in TEXT
    recipes = {path.stem for path in (config_folder() / "data" / "recipes").glob("*.yaml")}
    assert set(re.findall(r"^hipseg data import (\w+) +--source", TEXT, flags=re.MULTILINE)) == recipes
