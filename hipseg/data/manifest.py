"""The data set on disk (contracts.md section 5): its records, its reader and its writer."""

from hipseg.data.reading import load_dataset, read_image, read_labels, verify_checksums
from hipseg.data.records import FORMAT_VERSION, SPLITS, Case, DatasetManifest
from hipseg.data.writing import DatasetWriter

__all__ = [
    "FORMAT_VERSION",
    "SPLITS",
    "Case",
    "DatasetManifest",
    "DatasetWriter",
    "load_dataset",
    "read_image",
    "read_labels",
    "verify_checksums",
]
