"""Every encoding of pixels that ultrasound machines write comes out as the same grey picture."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate_extended, fragment_frame, itemize_fragment
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from recordings import encapsulated, save, speckle, speckle_clip, ultrasound_dataset, write_video

from hipseg.errors import SourceError
from hipseg.io import open_source

H264, H264_BD, HEVC = (f"1.2.840.10008.1.2.4.{number}" for number in (102, 103, 107))


def read(path: Path) -> list[np.ndarray]:
    source = open_source(str(path))
    images = [frame.image_HW for frame in source.frames()]
    source.close()
    return images


def rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=["implicit", "big", "deflated"],
)
def test_uncompressed(tmp_path: Path, syntax: str) -> None:
    frames = speckle_clip(3)
    dataset = ultrasound_dataset(frames)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset["PixelData"].VR = "OB"
    save(dataset, tmp_path / "clip.dcm")
    np.testing.assert_array_equal(read(tmp_path / "clip.dcm"), frames)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=["rle", "jpeg-ls", "jpeg 2000"])
@pytest.mark.parametrize("is_colour", [False, True], ids=["grey", "colour"])
def test_lossless_compression(tmp_path: Path, syntax: str, is_colour: bool) -> None:
    frames = speckle_clip(3)
    dataset = ultrasound_dataset([rgb(frame) for frame in frames] if is_colour else frames)
    if is_colour and syntax == JPEG2000Lossless:
        dataset.PhotometricInterpretation = "YBR_RCT"
    dataset.compress(syntax, generate_instance_uid=False)
    save(dataset, tmp_path / "clip.dcm")
    np.testing.assert_array_equal(read(tmp_path / "clip.dcm"), frames)


def test_jpeg_lossless(tmp_path: Path) -> None:
    frames = speckle_clip(2)
    save(ultrasound_dataset(frames), tmp_path / "plain.dcm")
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(tmp_path / "plain.dcm"))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(tmp_path / "clip.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert pydicom.dcmread(tmp_path / "clip.dcm").file_meta.TransferSyntaxUID == JPEGLosslessSV1
    np.testing.assert_array_equal(read(tmp_path / "clip.dcm"), frames)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit], ids=["baseline", "extended"])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "YBR_FULL_422"])
def test_lossy_jpeg(tmp_path: Path, syntax: str, photometric: str) -> None:
    frames = speckle_clip(2)
    pictures = frames if photometric == "MONOCHROME2" else [rgb(frame) for frame in frames]
    encoded = [cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes() for picture in pictures]
    dataset = encapsulated(ultrasound_dataset(pictures), syntax, encoded, PhotometricInterpretation=photometric)
    save(dataset, tmp_path / "clip.dcm")
    assert np.abs(np.subtract(read(tmp_path / "clip.dcm"), frames, dtype=int)).max() < 8


@pytest.mark.parametrize(("syntax", "container"), [(H264, "mpegts"), (H264, "mp4"), (H264_BD, "h264")])
def test_h264_over_several_fragments(tmp_path: Path, syntax: str, container: str) -> None:
    frames = speckle_clip(12)
    stream = io.BytesIO()
    write_video(stream, frames, format_=container)
    content = stream.getvalue()
    pieces = [content[start : start + 1000] for start in range(0, len(content), 1000)]
    dataset = ultrasound_dataset([rgb(frame) for frame in frames])
    encapsulated(dataset, syntax, pieces, PhotometricInterpretation="YBR_PARTIAL_420")
    decoded = read(save(dataset, tmp_path / "clip.dcm"))
    assert len(decoded) == len(frames)
    assert np.abs(np.subtract(decoded, frames, dtype=int)).mean() < 3


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_frames_over_several_fragments(tmp_path: Path, table: str) -> None:
    """Frame k lies in k + 1 fragments; with the extended table in one, as the standard demands."""
    frames = speckle_clip(3)
    encoded = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes() for frame in frames]
    encoded = [content + bytes(len(content) % 2) for content in encoded]
    dataset = ultrasound_dataset(frames)
    encapsulated(dataset, JPEGBaseline8Bit, encoded)
    if table == "extended":
        dataset.PixelData, offsets, lengths = encapsulate_extended(encoded)
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    else:
        items, offsets = b"", []
        for count, content in enumerate(encoded, start=1):
            offsets.append(len(items))
            items += b"".join(itemize_fragment(piece) for piece in fragment_frame(content, count))
        offset_table = struct.pack("<3L", *offsets) if table == "basic" else b""
        dataset.PixelData = itemize_fragment(offset_table) + items
    dataset["PixelData"].is_undefined_length = True
    decoded = read(save(dataset, tmp_path / "clip.dcm"))
    assert np.abs(np.subtract(decoded, frames, dtype=int)).max() < 8


def test_colour_by_plane_and_chroma_of_every_second_pixel(tmp_path: Path) -> None:
    grey = speckle(64, 80)
    planes = np.stack([grey] * 3)
    by_plane = ultrasound_dataset([rgb(grey)], PlanarConfiguration=1, PixelData=planes.tobytes())
    np.testing.assert_array_equal(read(save(by_plane, tmp_path / "planes.dcm"))[0], grey)
    neutral = np.full_like(grey, 128)
    # Y Y Cb Cr for two pixels.
    pairs = np.stack([grey[:, ::2], grey[:, 1::2], neutral[:, ::2], neutral[:, ::2]], axis=2)
    halved = ultrasound_dataset([rgb(grey)], PhotometricInterpretation="YBR_FULL_422", PixelData=pairs.tobytes())
    np.testing.assert_array_equal(read(save(halved, tmp_path / "halved.dcm"))[0], grey)


def test_ybr_full_is_told_by_its_luma(tmp_path: Path) -> None:
    grey = speckle(64, 80)
    ybr = convert_color_space(rgb(grey), "RGB", "YBR_FULL")
    dataset = ultrasound_dataset([ybr], PhotometricInterpretation="YBR_FULL")
    assert np.abs(np.subtract(read(save(dataset, tmp_path / "ybr.dcm"))[0], grey, dtype=int)).max() <= 2


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    grey = speckle(64, 80)
    dataset = ultrasound_dataset([255 - grey], PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read(save(dataset, tmp_path / "inverse.dcm"))[0], grey)


def test_a_palette_gives_the_grey_of_its_colours(tmp_path: Path) -> None:
    indices = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    table = (np.arange(256, dtype="<u2") * 3 % 256) << 8
    dataset = ultrasound_dataset([indices], PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", table.tobytes())
    image = read(save(dataset, tmp_path / "palette.dcm"))[0]
    np.testing.assert_allclose(image, indices.astype(int) * 3 % 256, atol=1)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_a_window_maps_its_edges_to_black_and_white(tmp_path: Path, dtype: type) -> None:
    levels = np.linspace(0, 4000, 64 * 64).reshape(64, 64).astype(dtype)
    dataset = ultrasound_dataset([levels], WindowCenter=2000, WindowWidth=2001, RescaleSlope=1, RescaleIntercept=0)
    image = read(save(dataset, tmp_path / "deep.dcm"))[0]
    expected = np.clip((levels.astype(float) - 1999.5) / 2000 + 0.5, 0, 1) * 255
    np.testing.assert_allclose(image, expected, atol=0.51)


def test_rescaling_comes_before_the_window(tmp_path: Path) -> None:
    stored = np.linspace(0, 1000, 64 * 64).reshape(64, 64).astype(np.uint16)
    dataset = ultrasound_dataset(
        [stored],
        RescaleSlope=2,
        RescaleIntercept=-500,
        WindowCenter=500,
        WindowWidth=1000,
        VOILUTFunction="LINEAR_EXACT",
    )
    image = read(save(dataset, tmp_path / "rescaled.dcm"))[0]
    np.testing.assert_allclose(image, np.clip((stored * 2.0 - 500) / 1000, 0, 1) * 255, atol=0.51)


def test_deep_levels_without_a_window_are_shown_with_a_warning(tmp_path: Path) -> None:
    twelve_bits = (speckle(64, 80).astype(np.uint16) * 16).clip(0, 4095)
    save(ultrasound_dataset([twelve_bits]), tmp_path / "deep.dcm")
    source = open_source(str(tmp_path / "deep.dcm"))
    image = next(source.frames()).image_HW
    np.testing.assert_allclose(image, twelve_bits / 4095 * 255, atol=0.51)
    assert any("without a window" in warning for warning in source.info.warnings)


def test_an_unknown_transfer_syntax_is_named(tmp_path: Path) -> None:
    dataset = encapsulated(ultrasound_dataset([speckle(64, 80)]), HEVC, [b"\0" * 64])
    save(dataset, tmp_path / "broken.dcm")
    with pytest.raises(SourceError, match="video"):
        open_source(str(tmp_path / "broken.dcm"))
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.94"  # JPIP: pixels are somewhere else
    save(dataset, tmp_path / "jpip.dcm")
    with pytest.raises(SourceError, match="JPIP"):
        open_source(str(tmp_path / "jpip.dcm"))


@pytest.mark.parametrize("name", ["rgb_color", "palette_color", "ybr_color", "jpeg2k"])
def test_pydicoms_own_ultrasound(name: str) -> None:
    path = pydicom.examples.get_path(name)
    header = pydicom.dcmread(path, stop_before_pixels=True)
    images = read(path)
    assert len(images) == int(header.get("NumberOfFrames") or 1)
    assert images[0].shape == (header.Rows, header.Columns)
    assert images[0].std() > 5
