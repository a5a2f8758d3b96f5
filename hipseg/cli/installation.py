"""What this installation consists of and can do, found out without loading anything heavy."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from typing import Any

import av
import onnxruntime
from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder

from hipseg import DISCLAIMER, __version__
from hipseg.cli.models import describe
from hipseg.runtime.models import list_models
from hipseg.runtime.threads import allowed_cpus, cgroup_quota, physical_cores, usable_cores

H264 = "libx264"

_PIXELS = {
    "uncompressed": uid.ExplicitVRLittleEndian,
    "RLE": uid.RLELossless,
    "JPEG baseline": uid.JPEGBaseline8Bit,
    "JPEG extended": uid.JPEGExtended12Bit,
    "JPEG lossless": uid.JPEGLosslessSV1,
    "JPEG-LS lossless": uid.JPEGLSLossless,
    "JPEG-LS near-lossless": uid.JPEGLSNearLossless,
    "JPEG 2000 lossless": uid.JPEG2000Lossless,
    "JPEG 2000": uid.JPEG2000,
}
_REQUIREMENT = re.compile(r"^(?P<name>[\w.-]+)(?:.*extra == [\"'](?P<extra>\w+)[\"'])?")


def inspect_installation() -> dict[str, Any]:
    """Versions, providers, processors, models, codecs and the training extra, ready for JSON."""
    required = _requirements()
    missing = [name for name in required.get("train", []) if _version(name) is None]
    return {
        "hipseg": __version__,
        "disclaimer": DISCLAIMER,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in required.get("", [])},
        "providers": onnxruntime.get_available_providers(),
        "cpu": _cpu(),
        "models": [describe(model) for model in list_models()],
        "codecs": _codecs(),
        "training_extra": {"installed": not missing, "missing": missing},
    }


def _requirements() -> dict[str, list[str]]:
    """Names of the packages that hipseg asks for, by extra; "" is the base."""
    names: dict[str, list[str]] = {}
    for line in metadata.requires("hipseg") or []:
        if found := _REQUIREMENT.match(line):
            names.setdefault(found["extra"] or "", []).append(found["name"])
    return names


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> dict[str, Any]:
    allowed = allowed_cpus()
    return {
        "logical": os.cpu_count(),
        "allowed": len(allowed),
        "physical_cores": physical_cores(allowed),
        "cgroup_quota": cgroup_quota(),
        "threads": usable_cores(),
    }


def _codecs() -> dict[str, Any]:
    return {
        "dicom": {name: get_decoder(syntax).is_available for name, syntax in _PIXELS.items()},
        "h264_encoder": H264 if _has_codec(H264, "w") else None,
        "h264_decoder": "h264" if _has_codec("h264", "r") else None,
    }


def _has_codec(name: str, mode: Any) -> bool:
    try:
        av.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return False
    return True
