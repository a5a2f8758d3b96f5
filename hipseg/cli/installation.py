"""What this installation consists of and can do. A part that is broken is reported, not stumbled over."""

from __future__ import annotations

import importlib
import os
import platform
import re
from importlib import metadata
from types import ModuleType
from typing import Any, Literal

from hipseg import DISCLAIMER, __version__
from hipseg.cli.models import describe
from hipseg.runtime.models import list_models
from hipseg.runtime.threads import allowed_cpus, cgroup_quota, physical_cores, usable_cores

_WITH_MACHINE_CODE = ("numpy", "cv2", "onnxruntime", "pydicom", "av")
_TRANSFER_SYNTAXES = {
    "uncompressed": "ExplicitVRLittleEndian",
    "RLE": "RLELossless",
    "JPEG baseline": "JPEGBaseline8Bit",
    "JPEG extended": "JPEGExtended12Bit",
    "JPEG lossless": "JPEGLosslessSV1",
    "JPEG-LS lossless": "JPEGLSLossless",
    "JPEG-LS near-lossless": "JPEGLSNearLossless",
    "JPEG 2000 lossless": "JPEG2000Lossless",
    "JPEG 2000": "JPEG2000",
}
_H264_ENCODER, _H264_DECODER = "libx264", "h264"
_REQUIREMENT = re.compile(r"^(?P<name>[\w.-]+)(?:.*extra == [\"'](?P<extra>\w+)[\"'])?")


def inspect_installation() -> dict[str, Any]:
    """Versions, providers, processors, models, codecs and the training extra, ready for JSON.

    The training extra is looked up, not imported. Whatever is missing or broken stands in "problems".
    """
    required = _requirements()
    packages = {name: _version(name) for name in required.get("", [])}
    modules, faults = _import_all()
    missing = [name for name in required.get("train", []) if _version(name) is None]
    return {
        "hipseg": __version__,
        "disclaimer": DISCLAIMER,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "providers": modules["onnxruntime"].get_available_providers() if "onnxruntime" in modules else [],
        "cpu": _cpu(),
        "models": [describe(model) for model in list_models()],
        "codecs": {
            "dicom": {name: _decodes(syntax, modules) for name, syntax in _TRANSFER_SYNTAXES.items()},
            "h264_encoder": _codec(_H264_ENCODER, "w", modules),
            "h264_decoder": _codec(_H264_DECODER, "r", modules),
        },
        "training_extra": {"installed": not missing, "missing": missing},
        "problems": [f"{name} is not installed" for name, version in packages.items() if version is None] + faults,
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


def _import_all() -> tuple[dict[str, ModuleType], list[str]]:
    """The modules that can be loaded, and what is wrong with the others: a version alone proves nothing."""
    modules: dict[str, ModuleType] = {}
    faults = []
    for name in _WITH_MACHINE_CODE:
        try:
            modules[name] = importlib.import_module(name)
        except (ImportError, OSError) as error:
            faults.append(f"{name} cannot be loaded ({(str(error).splitlines() or ['no reason given'])[0]})")
    return modules, faults


def _cpu() -> dict[str, Any]:
    allowed = allowed_cpus()
    return {
        "logical": os.cpu_count(),
        "allowed": len(allowed),
        "physical_cores": physical_cores(allowed),
        "cgroup_quota": cgroup_quota(),
        "threads": usable_cores(),
    }


def _decodes(transfer_syntax: str, modules: dict[str, ModuleType]) -> bool:
    if "pydicom" not in modules:
        return False
    from pydicom import uid
    from pydicom.pixels.decoders.base import get_decoder

    return bool(get_decoder(getattr(uid, transfer_syntax)).is_available)


def _codec(name: str, mode: Literal["r", "w"], modules: dict[str, ModuleType]) -> str | None:
    """The name, where PyAV's FFmpeg has a codec of it."""
    if "av" not in modules:
        return None
    from av.codec.codec import Codec, UnknownCodecError

    try:
        Codec(name, mode)
    except UnknownCodecError:
        return None
    return name
