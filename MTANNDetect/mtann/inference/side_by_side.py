"""Working on tiles side by side, each on one processor.

A tile's operations are too small to be shared out well among processors; whole tiles are. Results do not depend on it.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch

from mtann.errors import CancelledError
from mtann.progress import Run

Item = TypeVar("Item")
Work = Callable[[Item, Callable[[], None]], None]
"""Takes an item, and what it calls now and then: that raises CancelledError if the work is to be stopped."""

_MOST_AT_ONCE = 16
"""Each takes a tile's memory."""
_LOOK_S = 0.05
"""Seconds between two looks at whether the user asked to stop."""
_in_use = threading.Lock()


def work_through(items: Sequence[Item], work: Work[Item], run: Run, what: str, *, side_by_side: bool = True) -> None:
    """Work on each item.

    Args:
        items: What to work on.
        work: Works on one; items must not depend on each other. Where an item is alone, or another thread is at it, it
            is called in this thread and may use all processors.
        run: Progress and cancellation; only ever asked in this thread.
        what: What is done, for the progress report, such as "Scanning block".
        side_by_side: Whether items may be worked on at the same time.

    Raises:
        CancelledError: The user asked to stop.
    """
    workers = min(torch.get_num_threads(), len(items), _MOST_AT_ONCE)
    if not side_by_side or workers < 2 or not _in_use.acquire(blocking=False):
        for number, item in enumerate(items):
            run.report("scan", number / len(items), f"{what} {number + 1} of {len(items)}")
            work(item, run.check)
        return
    try:
        with _threads_each(torch.get_num_threads() // workers):
            _in_pool(items, work, run, what, workers)
    finally:
        _in_use.release()


def _in_pool(items: Sequence[Item], work: Work[Item], run: Run, what: str, workers: int) -> None:
    stopped = threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise CancelledError("Stopped at the user's request; nothing was written.")

    def one(item: Item) -> None:
        check()
        with torch.inference_mode():
            work(item, check)

    with ThreadPoolExecutor(workers) as pool:
        pending = {pool.submit(one, item) for item in items}
        try:
            while pending:
                finished, pending = wait(pending, _LOOK_S, FIRST_COMPLETED)
                for future in finished:
                    future.result()
                done = len(items) - len(pending)
                run.report("scan", done / len(items), f"{what} {min(done + 1, len(items))} of {len(items)}")
        except BaseException:
            stopped.set()
            raise


@contextmanager
def _threads_each(threads: int) -> Iterator[None]:
    """What torch starts within uses so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
