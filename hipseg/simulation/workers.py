"""Cases spread over processes of this machine, or over a cluster; results come in order, whoever made them."""

from __future__ import annotations

import importlib
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import cv2

from hipseg.errors import HipsegError, UsageError

Result = TypeVar("Result")
LOCAL = "local"
_AHEAD = 3
"""Cases a cluster's thread has waiting: enough to be busy, few enough to hold in memory."""
_GOES_ON = "run the same command again, it goes on where it stopped"


def in_parallel(
    task: Callable[[int], Result], cases: Sequence[int], num_workers: int, cluster: str | None = None
) -> Iterator[Result]:
    """Runs a task for each case and yields the results in order.

    Args:
        task: importable, of a case's number.
        cases: the numbers.
        num_workers: processes of this machine; 1 stays in this one.
        cluster: address of a dask scheduler ("tcp://host:8786"), whose workers run the task instead; "local" for a
            dask cluster of `num_workers` processes on this machine.

    Raises:
        HipsegError: a worker was killed, by lack of memory for instance.
        UsageError: no scheduler answers at the address.
    """
    if cluster is not None:
        yield from _on_cluster(task, cases, num_workers, cluster)
        return
    if num_workers == 1 or len(cases) < 2:
        yield from map(task, cases)
        return
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parallel = joblib.Parallel(n_jobs=min(num_workers, len(cases)), return_as="generator", batch_size=1)
    try:
        yield from parallel(joblib.delayed(_alone)(task, case) for case in cases)
    except TerminatedWorkerError as error:
        mend = f"{_GOES_ON}; fewer num_workers need less memory"
        raise HipsegError("a worker process was killed", mend=mend) from error


def _on_cluster(
    task: Callable[[int], Result], cases: Sequence[int], num_workers: int, cluster: str
) -> Iterator[Result]:
    from dask.distributed import KilledWorker

    with _cluster_client(cluster, num_workers) as client:
        width = _AHEAD * max(sum(client.nthreads().values()), 1)
        waiting: deque[Any] = deque()
        try:
            for case in cases:
                waiting.append(client.submit(partial(_alone, task), case, pure=False))
                if len(waiting) >= width:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except KilledWorker as error:
            raise HipsegError("a worker of the cluster was killed", where=cluster, mend=_GOES_ON) from error


@contextmanager
def _cluster_client(cluster: str, num_workers: int) -> Iterator[Any]:
    """A client of the scheduler at an address; of a cluster that ends with it for "local"."""
    distributed: Any = importlib.import_module("dask.distributed")
    if cluster == LOCAL:
        size = {"n_workers": num_workers, "threads_per_worker": 1, "dashboard_address": None}
        with distributed.LocalCluster(**size) as local, distributed.Client(local) as client:
            yield client
        return
    try:
        client = distributed.Client(cluster, timeout="5s")
    except (OSError, ValueError, TimeoutError) as error:
        mend = "start one with `dask scheduler`, or leave cluster out"
        raise UsageError("no dask scheduler answers", where=f"cluster={cluster}", mend=mend) from error
    with client:
        yield client


def _alone(task: Callable[[int], Any], case: int) -> Any:
    """Runs a task with one thread: the processes share the cores among themselves."""
    cv2.setNumThreads(1)
    return task(case)


class Progress:
    """Tells on stderr how far a run has come: a line in place on a terminal, a line each tenth elsewhere."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done, self._told = total, what, 0, -1

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        terminal = sys.stderr.isatty()
        tenth = 10 * self._done // self._total
        if terminal or tenth > self._told:
            end = "\n" if not terminal or self._done == self._total else ""
            lead = "\r" if terminal else ""
            print(f"{lead}{self._done} of {self._total} {self._what}", end=end, file=sys.stderr, flush=True)
        self._told = tenth
