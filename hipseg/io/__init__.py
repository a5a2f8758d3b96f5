"""Sources that yield frames, and sinks that keep what came of them."""

from hipseg.io.clips import Clip, list_clips
from hipseg.io.dicom.segmentation import SegmentationDicomSink, write_segmentation_dicom
from hipseg.io.masks import MaskSink
from hipseg.io.open import is_live_spec, open_source
from hipseg.io.profile import apply_profile, write_profile
from hipseg.io.records import JsonLinesSink, read_json_lines, write_json
from hipseg.io.scan_region import find_scan_region
from hipseg.io.session_folder import SessionFolder
from hipseg.io.source import Source, SourceInfo, SourceOptions
from hipseg.io.spacing import parse_spacing
from hipseg.io.video_sink import VideoSink

__all__ = [
    "Clip",
    "JsonLinesSink",
    "MaskSink",
    "SegmentationDicomSink",
    "SessionFolder",
    "Source",
    "SourceInfo",
    "SourceOptions",
    "VideoSink",
    "apply_profile",
    "find_scan_region",
    "is_live_spec",
    "list_clips",
    "open_source",
    "parse_spacing",
    "read_json_lines",
    "write_json",
    "write_profile",
    "write_segmentation_dicom",
]
