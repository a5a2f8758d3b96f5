"""Takes persons out of recordings: headers by DICOM's basic confidentiality profile, and what is burned into pixels."""

from hipseg.data.deidentify.run import Options, deidentify

__all__ = ["Options", "deidentify"]
