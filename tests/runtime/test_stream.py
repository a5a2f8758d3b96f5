"""Frames through stages: all of them, in order, timed, with a source that waits."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from hipseg.runtime.stream import TOTAL, ReadAhead, Stage, Stream


def test_every_frame_passes_every_stage_in_order() -> None:
    stream = Stream([Stage("double", lambda x: 2 * x), Stage("add", lambda x: x + 1)])
    assert [done.work for done in stream.process(range(5))] == [1, 3, 5, 7, 9]
    assert {name: histogram.count for name, histogram in stream.latencies.items()} == {"double": 5, "add": 5, TOTAL: 5}


def test_each_stage_is_timed_by_the_clock() -> None:
    ticks = itertools.accumulate([0.0, 0.002, 0.005])
    stream = Stream([Stage("a", str), Stage("b", str)], clock=lambda: next(ticks))
    (done,) = stream.process(["x"])
    assert done.latency_ms == pytest.approx({"a": 2.0, "b": 5.0, TOTAL: 7.0})


def test_a_fault_comes_at_its_frame_after_the_finished_ones() -> None:
    stream = Stream([Stage("divide", lambda x: 6 // x)])
    done = stream.process([1, 2, 0, 3])
    assert [next(done).work, next(done).work] == [6, 3]
    with pytest.raises(ZeroDivisionError):
        next(done)
    assert stream.latencies["divide"].count == 2


def test_nothing_is_begun_before_it_is_asked_for() -> None:
    begun: list[int] = []
    frames = Stream([Stage("note", lambda x: begun.append(x) or x)]).process(itertools.count())
    next(frames)
    assert begun == [0]


def test_reading_ahead_keeps_every_frame_and_the_order() -> None:
    with ReadAhead(range(100)) as feed:
        assert list(feed) == list(range(100))
    assert feed.latency.count == 100


def test_the_source_waits_when_nobody_takes() -> None:
    read: list[int] = []

    def source() -> Iterator[int]:
        for index in itertools.count():
            read.append(index)
            yield index

    with ReadAhead(source(), depth=2) as feed:
        first = next(iter(feed))
        time.sleep(0.2)
        assert first == 0
        assert len(read) <= 4
    assert not any(thread.name == "hipseg-read-ahead" for thread in threading.enumerate())


def test_a_source_that_breaks_breaks_where_it_breaks() -> None:
    def source() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("cable pulled")

    with ReadAhead(source()) as feed:
        frames = iter(feed)
        assert [next(frames), next(frames)] == [1, 2]
        for _ in range(2):
            with pytest.raises(OSError, match="cable pulled"):
                next(iter(feed))


def test_an_interruption_ends_the_reading_thread() -> None:
    def stop_at_three(index: int) -> int:
        if index == 3:
            raise KeyboardInterrupt
        return index

    with pytest.raises(KeyboardInterrupt), ReadAhead(itertools.count()) as feed:
        list(Stream([Stage("stop", stop_at_three)]).process(feed))
    assert not any(thread.name == "hipseg-read-ahead" for thread in threading.enumerate())


def test_a_feed_and_stages_make_a_stream() -> None:
    stream = Stream([Stage("square", lambda x: x * x)])
    with ReadAhead(range(4)) as feed:
        assert [done.work for done in stream.process(feed)] == [0, 1, 4, 9]
