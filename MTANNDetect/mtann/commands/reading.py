"""Reading cases' images: several at a time, and the next case's while the present one is computed.

Files are decompressed outside of Python's lock, so that two cores read two images in the time of one.
"""

import argparse
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from mtann.cases import CaseFiles
from mtann.volume import Volume
from mtann.volume_io import read_volume

Images = tuple[dict[str, Volume], Volume | None]
"""A case's channels by name, and its mask."""

_AT_ONCE = 2
_MOST_AHEAD_BYTES = 1 << 30
"""After a case with larger images the next one waits: two of them may not fit into memory."""


class CaseReader:
    """Reads images by name of channel, ahead of time where it can. Leaving it gives up what nobody has asked for.

    Args:
        arguments: Of a command with images, ``--channel``, ``--mask`` and ``--series``. Their files are begun at once.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._series: str | None = arguments.series
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._begun: dict[Path, Future[Volume]] = {}
        self._next: dict[str, CaseFiles] = {}
        named = [text.partition("=")[2] for text in arguments.channel]
        self._begin(Path(name) for name in (*arguments.images, *named, arguments.mask) if name)

    def __enter__(self) -> "CaseReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def follow(self, cases: Sequence[CaseFiles]) -> None:
        """Tell which cases will be read, in order."""
        self._next = {case.case: later for case, later in pairwise(cases)}

    def read(self, case: CaseFiles) -> Images:
        """A case's images; reading of the case that follows is begun.

        Raises:
            MTANNError: An image cannot be read.
        """
        files = _files(case)
        # What was begun for a case that then was skipped is given up.
        for path in self._begun.keys() - set(files):
            self._begun.pop(path).cancel()
        self._begin(files)
        begun, self._begun = self._begun, {}
        volumes = {name: begun[path].result() for name, path in case.channels.items()}
        mask = begun[case.mask].result() if case.mask else None
        if case.case in self._next and sum(volume.array.nbytes for volume in volumes.values()) <= _MOST_AHEAD_BYTES:
            self._begin(_files(self._next[case.case]))
        return volumes, mask

    def _begin(self, files: Iterable[Path]) -> None:
        for path in files:
            if path not in self._begun:
                self._begun[path] = self._pool.submit(read_volume, path, self._series)


def _files(case: CaseFiles) -> list[Path]:
    return [*case.channels.values(), *([case.mask] if case.mask else [])]
