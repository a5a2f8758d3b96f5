"""Which data a run was trained and validated on, so that it can be told whether they are the same again."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningDataModule

from hipseg.data.datamodule import HipDataModule
from hipseg.data.reading import CASES, file_sha256
from hipseg.data.sources import CaseReader, DiskSource


def data_record(data: LightningDataModule) -> dict[str, Any]:
    """The data sets by use, each with the checksum of its list of cases, which holds every file's own.

    Args:
        data: set up for training. Of a data module that is not ours nothing is known but its type.

    Returns:
        Plain values for a JSON file.
    """
    if not isinstance(data, HipDataModule):
        return {"data_module": f"{type(data).__module__}.{type(data).__qualname__}"}
    training = {
        name: _data_set(source.reader) if isinstance(source, DiskSource) else {"source": type(source).__name__}
        for name, source in data.sources.items()
        if data.weights[name] > 0
    }
    return {"train": training, "validation": [_data_set(reader) for reader in data.readers.get("val", [])]}


def _data_set(reader: CaseReader) -> dict[str, Any]:
    return {
        "name": reader.manifest.name,
        "folder": str(reader.root),
        "num_cases": len(reader),
        "cases_sha256": file_sha256(reader.root / CASES),
    }
