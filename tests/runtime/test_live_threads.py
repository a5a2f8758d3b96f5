"""The live stream with its threads: newest frame first, sources that come back, stages that fail, slow disks."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from hipseg.errors import ModelError, OutputError, SourceError
from hipseg.frame import Frame
from hipseg.io.scan_region import full_region
from hipseg.io.source import SourceInfo
from hipseg.runtime.live.feed import LiveFeed, LiveFrame
from hipseg.runtime.live.limits import LiveLimits
from hipseg.runtime.live.recorder import Recorder
from hipseg.runtime.live.slot import LatestSlot
from hipseg.runtime.live.watch import Watch
from hipseg.runtime.live.watchdog import Condition
from hipseg.runtime.live.worker import LiveWorker

QUICK = LiveLimits(retry_first_s=0.01, retry_longest_s=0.02, give_up_after_s=0.2)
REGION = full_region(32, 32)


class Script:
    """A source that plays frames and faults."""

    def __init__(self, *parts: float | Exception, pause_s: float = 0.001) -> None:
        self.info = SourceInfo("script", "camera", 32, 32, None, None, None, REGION, is_live=True)
        self._parts, self._pause_s = parts, pause_s
        self.closed = 0

    def frames(self) -> Iterator[Frame]:
        for index, part in enumerate(self._parts):
            if isinstance(part, Exception):
                raise part
            time.sleep(self._pause_s)
            yield Frame(np.full((32, 32), 20 * index % 256, np.uint8), index, part, None, REGION, "script")

    def close(self) -> None:
        self.closed += 1


def times(number: int) -> list[float]:
    return [0.001 * k for k in range(number)]


LOST = SourceError("cable pulled", where="script")


def run_feed(first: Script, reopen: Callable[[], Script] | None) -> tuple[LiveFeed, list[LiveFrame], Watch]:
    watch = Watch(QUICK)
    taken: list[LiveFrame] = []
    with LiveFeed(first, reopen, QUICK, watch) as feed:
        while not feed.slot.is_over:
            if (live := feed.slot.take(0.05)) is not None:
                taken.append(live)
    return feed, taken, watch


def test_a_source_that_ends_ends_the_feed() -> None:
    script = Script(*times(5))
    feed, taken, _ = run_feed(script, None)
    assert (feed.fault, feed.num_frames) == (None, 5)
    assert taken[-1].frame.index == 4
    assert len(taken) + feed.slot.dropped == 5
    assert script.closed == 1


def test_a_lost_source_is_opened_again_and_time_goes_on() -> None:
    attempts = iter([LOST, Script(*times(6))])

    def reopen() -> Script:
        attempt = next(attempts)
        if isinstance(attempt, SourceError):
            raise attempt
        return attempt

    feed, taken, watch = run_feed(Script(*times(4), LOST), reopen)
    assert (feed.num_losses, feed.num_reopened, feed.num_frames, feed.fault) == (1, 1, 10, None)
    moments = [live.frame.time_s for live in taken]
    assert moments == sorted(set(moments))
    assert [live.frame.index for live in taken][-1] == 9
    assert Condition.CLOCK_JUMP not in {finding.condition for finding in watch.report().findings}


def test_a_source_that_does_not_come_back_is_given_up() -> None:
    def gone() -> Script:
        raise SourceError("no such camera", where="script")

    begin_s = time.monotonic()
    feed, _, watch = run_feed(Script(*times(3), LOST), gone)
    assert str(feed.fault) == "script: no such camera"
    assert 0.2 <= time.monotonic() - begin_s < 3
    assert Condition.SOURCE_LOST in {finding.condition for finding in watch.report().findings}


def test_a_source_that_breaks_off_again_and_again_is_given_up_too() -> None:
    feed, _, _ = run_feed(Script(*times(3), LOST), lambda: Script(0.0, LOST))
    assert feed.fault is LOST
    assert feed.num_reopened >= 3


def test_a_fault_of_our_own_is_not_tried_again() -> None:
    feed, _, _ = run_feed(Script(0.0, ZeroDivisionError()), lambda: pytest.fail("opened again"))
    assert isinstance(feed.fault, ZeroDivisionError)


def test_stamps_that_run_backwards_are_seen_and_bridged() -> None:
    feed, taken, watch = run_feed(Script(0.0, 0.001, -500.0, -499.999), None)
    assert feed.num_frames == 4
    moments = [live.frame.time_s for live in taken]
    assert moments == sorted(set(moments))
    assert taken[-1].source_time_s == -499.999
    assert Condition.CLOCK_JUMP in {finding.condition for finding in watch.report().findings}


def test_a_first_frame_that_waited_for_the_model_is_left_out() -> None:
    class Waited(Script):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                age_s = 60.0 if frame.index == 0 else 0.0
                yield dataclasses.replace(frame, taken_s=time.monotonic() - age_s)

    feed, taken, watch = run_feed(Waited(*times(4)), None)
    assert feed.num_frames == 3
    assert taken[0].frame.time_s == 0 or feed.slot.dropped
    assert not {Condition.CLOCK_JUMP} & {finding.condition for finding in watch.report().findings}


def test_leaving_the_feed_stops_an_endless_source() -> None:
    script = Script(*itertools.islice(itertools.count(0.0, 0.001), 100_000))
    with LiveFeed(script, None, QUICK, Watch(QUICK)) as feed:
        assert feed.slot.take(5) is not None
    assert script.closed == 1


def live_frame(index: int) -> LiveFrame:
    return LiveFrame(Frame(np.zeros((32, 32), np.uint8), index, 0.0, None, REGION, "s"), 0.0, time.monotonic())


def run_worker(work: Callable[[LiveFrame], None], number: int) -> tuple[LiveWorker, Watch]:
    slot: LatestSlot[LiveFrame] = LatestSlot()
    watch = Watch(QUICK)
    with LiveWorker(slot, work, watch) as worker:
        for index in range(number):
            slot.put(live_frame(index))
            time.sleep(0.01)
        slot.close()
        assert worker.over.wait(5)
    return worker, watch


@pytest.mark.parametrize(
    ("fault", "condition"),
    [(ModelError("out of memory"), Condition.MODEL_FAULT), (ZeroDivisionError(), Condition.STAGE_FAILED)],
)
def test_a_stage_that_raises_costs_its_frame_only(fault: Exception, condition: Condition) -> None:
    def work(live: LiveFrame) -> None:
        if live.frame.index >= 4:
            raise fault

    worker, watch = run_worker(work, 6)
    assert worker.num_failed >= 1
    assert worker.fault is fault
    assert worker.failing_s > 0
    assert condition in {finding.condition for finding in watch.report().findings}


def test_a_stage_that_raised_once_is_forgiven() -> None:
    def work(live: LiveFrame) -> None:
        if live.frame.index == 0:
            raise ZeroDivisionError

    worker, watch = run_worker(work, 8)
    assert (worker.num_failed, worker.fault, worker.failing_s) == (1, None, 0)
    assert not watch.report().is_withdrawn


def test_a_stage_that_hangs_is_seen_and_left_behind() -> None:
    limits = LiveLimits(stage_limit_ms=50)
    watch, slot, free = Watch(limits), LatestSlot[LiveFrame](), threading.Event()

    def work(_live: LiveFrame) -> None:
        watch.stage_begun()
        free.wait(10)

    with LiveWorker(slot, work, watch):
        slot.put(live_frame(0))
        time.sleep(0.2)
        assert Condition.STAGE_HUNG in {finding.condition for finding in watch.report().findings}
        assert watch.stage_s > 0.05
    free.set()


def test_records_are_written_in_order_pictures_only_while_the_disk_follows() -> None:
    written: list[int] = []
    gate = threading.Event()
    with Recorder() as recorder:
        recorder.must(lambda: gate.wait(5) and None)
        for index in range(200):
            recorder.may(lambda index=index: written.append(-index - 1))
            recorder.must(lambda index=index: written.append(index))
        gate.set()
    assert [index for index in written if index >= 0] == list(range(200))
    assert recorder.num_left_out == 200 - len([index for index in written if index < 0])
    assert 180 < recorder.num_left_out < 200


def test_a_disk_that_is_full_stops_the_recording_not_the_run() -> None:
    def full() -> None:
        raise OutputError("the disk is full")

    with Recorder() as recorder:
        recorder.must(full)
        for _ in range(10):
            recorder.must(lambda: pytest.fail("written after a fault"))
    assert isinstance(recorder.fault, OutputError)
