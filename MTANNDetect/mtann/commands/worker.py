"""``mtann worker``: serve Slicer's panel over standard input and output, one JSON object a line."""

import argparse
import faulthandler
import os
import sys
from pathlib import Path
from typing import IO

from mtann.commands.console import Console
from mtann.worker.parent import check_folder, leave, watch_parent
from mtann.worker.server import Server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "--folder",
        required=True,
        type=Path,
        metavar="DIR",
        help="private folder, made by the parent, in which images are exchanged; removed at the end",
    )
    parser.add_argument(
        "--parent", required=True, type=int, metavar="PID", help="process with whose end the worker ends, too"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    folder = check_folder(arguments.folder.absolute())
    outgoing = _keep_output()
    faulthandler.enable()
    watch_parent(arguments.parent, folder)
    Server(folder, sys.stdin.buffer, outgoing).run()
    leave(folder, orderly=True)
    return 0


def _keep_output() -> IO[bytes]:
    """Standard output for the protocol alone: whatever else is written there, by C code too, goes to standard error."""
    sys.stdout.flush()
    kept = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    return kept
