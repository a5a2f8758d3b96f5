"""Frames through named, timed stages.

A stream is a feed and stages. The feed decides which frames are processed: `ReadAhead` hands on every one, in order,
and makes the source wait while the stages are busy; `live.feed.LiveFeed` only ever the newest one. The stages don't
know which feed they stand behind.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hipseg.runtime.latency import LatencyHistogram

TOTAL = "total"
"""Name of the time that all stages take together."""

T = TypeVar("T")

_MILLI = 1e3
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Stage(Generic[T]):
    """One step of the work on a frame.

    Attributes:
        name: in latencies and reports, e.g. "inference".
        run: takes the work on one frame as the stage before left it, and gives it back with its own part done.
    """

    name: str
    run: Callable[[T], T]


@dataclass(frozen=True, slots=True)
class Processed(Generic[T]):
    """The finished work on one frame.

    Attributes:
        work: as the last stage left it.
        latency_ms: milliseconds by stage, and in `TOTAL`.
    """

    work: T
    latency_ms: dict[str, float]


class Stream(Generic[T]):
    """Runs frames through stages, one frame at a time.

    A fault or an interruption surfaces at the frame it happens on; frames handed out before are done and stay so.

    Args:
        stages: in their order; names are unique.
        clock: seconds, monotonic.
        on_stage: called before each stage, for who watches that none hangs.

    Attributes:
        latencies: by stage and in `TOTAL`, of all frames so far, in bounded memory.
    """

    def __init__(
        self,
        stages: Sequence[Stage[T]],
        *,
        clock: Callable[[], float] = time.perf_counter,
        on_stage: Callable[[], None] = lambda: None,
    ) -> None:
        names = [stage.name for stage in stages] + [TOTAL]
        assert len(set(names)) == len(names), f"two stages with one name: {names}"
        self._stages, self._clock, self._on_stage = tuple(stages), clock, on_stage
        self.latencies = {name: LatencyHistogram() for name in names}

    def process(self, feed: Iterable[T]) -> Iterator[Processed[T]]:
        """Every frame that the feed hands over, finished, in order. The next one begins when the caller asks for it."""
        for work in feed:
            yield self.step(work)

    def step(self, work: T) -> Processed[T]:
        """One frame, finished."""
        times_s = [self._clock()]
        for stage in self._stages:
            self._on_stage()
            work = stage.run(work)
            times_s.append(self._clock())
        spans = zip(self._stages, times_s, times_s[1:], strict=False)
        latency_ms = {stage.name: _MILLI * (end_s - begin_s) for stage, begin_s, end_s in spans}
        latency_ms[TOTAL] = _MILLI * (times_s[-1] - times_s[0])
        for name, value in latency_ms.items():
            self.latencies[name].add(value)
        return Processed(work, latency_ms)


class ReadAhead(Generic[T]):
    """A feed of every item of a source, in order; the next ones are read by a thread while one is processed.

    The source waits when `depth` items are waiting, so memory stays flat. What the source raises is raised here, after
    the items that came before it. Use it as a context manager: leaving it stops the thread, also after an interruption.

    Args:
        items: the source; used by the reading thread alone until `close` returns.
        depth: most items that wait.

    Attributes:
        latency: how long the source took for each item; complete once the items are used up.
    """

    def __init__(self, items: Iterable[T], depth: int = 2) -> None:
        self.latency = LatencyHistogram()
        self._items = items
        self._waiting: queue.Queue[_Item[T] | _End] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="hipseg-read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        while isinstance(item := self._waiting.get(), _Item):
            yield item.value
        self._waiting.put(item)  # whoever asks again gets the same end
        if item.fault is not None:
            raise item.fault

    def close(self) -> None:
        """Stops reading; may be called twice. A source that blocks is left behind after a second."""
        self._stopped.set()
        self._thread.join(timeout=1)

    def __enter__(self) -> ReadAhead[T]:
        return self

    def __exit__(self, *_fault: object) -> None:
        self.close()

    def _read(self) -> None:
        fault: BaseException | None = None
        try:
            for value in self._timed():
                if not self._hand_over(_Item(value)):
                    return
        except BaseException as error:
            fault = error
        self._hand_over(_End(fault))

    def _timed(self) -> Iterator[T]:
        source = iter(self._items)
        while True:
            begin_s = time.perf_counter()
            try:
                value = next(source)
            except StopIteration:
                return
            self.latency.add(_MILLI * (time.perf_counter() - begin_s))
            yield value

    def _hand_over(self, item: _Item[T] | _End) -> bool:
        """Waits for room. False when nobody wants any more."""
        while not self._stopped.is_set():
            try:
                self._waiting.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _End:
    fault: BaseException | None
