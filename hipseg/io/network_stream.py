"""Video over the network as a live source: RTSP, and MJPEG over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from hipseg.errors import SourceError, UsageError
from hipseg.io.live_source import LivePicture, LiveSource, live_info
from hipseg.io.picture_source import is_plausible_rate
from hipseg.io.source import SourceOptions
from hipseg.io.video_picture import picture_of

STREAM_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://")

_OPTIONS = {
    "protocol_whitelist": "http,https,tcp,tls,udp,rtp,rtsp,rtsps,crypto",  # a redirection must not lead to a file
    "rtsp_transport": "tcp",
    "fflags": "nobuffer",
    "flags": "low_delay",
    "analyzeduration": "500000",
    "max_delay": "100000",
}
_CLOCKLESS = frozenset({"mjpeg", "mpjpeg"})
"""Their time stamps are made up by the reader from an assumed rate; the time of arrival is truer."""
_DAMAGED = "a damaged image"
_END_OF_JPEG, _PADDING = b"\xff\xd9", b"\0\r\n"


def open_network_stream(spec: str, options: SourceOptions) -> LiveSource:
    """Opens "rtsp://..." or "http://...".

    Raises:
        UsageError: the address names no host.
        SourceError: nobody answers, or what comes is no video.
    """
    where = address_without_secrets(spec)
    container = _open(spec, where, options.silent_after_s)
    try:
        stream = container.streams.video[0]
    except IndexError as error:
        container.close()
        raise SourceError("sends no video", where=where, expected="RTSP, or MJPEG over HTTP") from error
    rate_hz = float(stream.average_rate or 0)
    info = live_info(where, "stream", rate_hz if is_plausible_rate(rate_hz) else None)
    return LiveSource(info, _pictures(container, stream, where), options, container.close)


def address_without_secrets(spec: str) -> str:
    """Scheme, host, port and path; what else an address may hold (user, password, keys) is nobody's business.

    Raises:
        UsageError: it names no host, or no port that can be.
    """
    try:
        parts = urlsplit(spec)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError as error:
        raise UsageError(
            "is not an address", where="source", expected="rtsp://HOST/PATH or http://HOST/PATH"
        ) from error
    if not parts.hostname:
        raise UsageError("names no host", where="source", expected="rtsp://HOST/PATH or http://HOST/PATH")
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _open(spec: str, where: str, silent_after_s: float) -> InputContainer:
    try:
        return av.open(spec, "r", options=dict(_OPTIONS), timeout=(silent_after_s, silent_after_s))
    except (av.FFmpegError, OSError, ValueError) as error:
        mend = "check the address, and that the sender runs"
        raise SourceError(f"cannot be opened ({_reason(error)})", where=where, mend=mend) from error


def _pictures(container: InputContainer, stream: VideoStream, where: str) -> Iterator[LivePicture]:
    """Every picture that can be decoded; a damaged one is passed on as such."""
    has_clock = not {stream.codec_context.name, container.format.name} & _CLOCKLESS
    try:
        for packet in container.demux(stream):
            taken_s = time.monotonic()
            yield from _decoded(packet, taken_s, has_clock=has_clock)
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"broke off ({_reason(error)})", where=where) from error
    raise SourceError("the sender ended the stream", where=where)


def _reason(error: Exception) -> str:
    """FFmpeg's words, but for the exit it takes when its time is over."""
    if isinstance(error, av.ExitError):
        return "no answer in time"
    return (getattr(error, "strerror", None) or type(error).__name__).lower()


def _decoded(packet: av.Packet, taken_s: float, *, has_clock: bool) -> Iterator[LivePicture]:
    try:
        frames = [] if packet.size == 0 else list(packet.decode())
    except av.FFmpegError:
        yield LivePicture(None, taken_s, fault=_DAMAGED)
        return
    for frame in frames:
        if frame.is_corrupt or _is_cut(packet):
            yield LivePicture(None, taken_s, fault=_DAMAGED)
            continue
        image_HW, flow = picture_of(frame)
        yield LivePicture(image_HW, taken_s, frame.time if has_clock else None, flow=flow)


def _is_cut(packet: av.Packet) -> bool:
    """A JPEG without its end: FFmpeg shows what there is and fills the rest with grey."""
    return packet.stream.codec_context.name == "mjpeg" and not bytes(packet).rstrip(_PADDING).endswith(_END_OF_JPEG)
