"""The command line, ``mtann COMMAND``: detect, train, evaluate and so on, as ``_COMMANDS`` lists them.

``mtann worker`` is for machines: it serves the panel in Slicer.

Exit code 0 for success, 2 for something that the user can mend, 130 when stopped, 1 for a defect of ours.
"""

import argparse
import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType, ModuleType

from mtann.commands.console import Console, explain
from mtann.errors import CancelledError, MTANNError
from mtann.memory import keep_freed_memory
from mtann.version import VERSION

_COMMANDS = {
    "detect": "find lesions in images",
    "filter": "score any detector's candidates anew",
    "segment": "outline whole lesions with a model taught on outlines",
    "enhance": "turn an image into another with a taught model",
    "train": "teach a model from images",
    "crossval": "teach planned U-Nets in folds, and make one model of what does best",
    "retrain": "teach a model lesions that it missed, and candidates that were rejected",
    "synthesize": "insert synthetic lesions into scans, to train on",
    "plan": "measure a data set and plan U-Nets for it",
    "networks": "list the networks that a plan may name",
    "evaluate": "measure predictions against references",
    "compare": "compare two models on the same cases",
    "models": "list, describe and verify models",
    "bench": "measure how fast this machine scans and trains",
    "demo": "run the main job on a synthetic head with known lesions",
    "worker": "serve the Slicer panel: JSON lines on standard input and output",
}


def run() -> int:
    """The command of a shell: as :func:`main`, and then the process ends."""
    code = main()
    # At its end Python would look through all that was ever imported for what can be freed, for half a second.
    gc.freeze()
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    console = Console(as_json="--json" in given)
    former = signal.signal(signal.SIGTERM, _stop) if threading.current_thread() is threading.main_thread() else None
    try:
        parser, command = _parser(given)
        parsed = parser.parse_args(given)
        keep_freed_memory()
        return int(command.run(parsed, console)) if command else 2
    except (MTANNError, MemoryError) as error:
        console.fail(*explain(error))
        return 2
    except (KeyboardInterrupt, CancelledError):
        console.fail("Cancelled", "Stopped at your request; no unfinished result was left behind.")
        return 130
    except Exception as error:
        # The last line of defence: users get a sentence, developers can ask for the traceback.
        if os.environ.get("MTANN_TRACEBACK"):
            raise
        console.fail(*explain(error))
        return 1
    finally:
        if former is not None:
            signal.signal(signal.SIGTERM, former)


def _stop(signal_number: int, frame: FrameType | None) -> None:
    """Take a request to terminate like Ctrl-C, so that everything half-done is removed."""
    raise KeyboardInterrupt


def _parser(given: Sequence[str]) -> tuple[argparse.ArgumentParser, ModuleType | None]:
    """The parser, with the options of the chosen command only: the others' packages are not loaded."""
    parser = argparse.ArgumentParser(
        prog="mtann",
        description=(
            "Finds lesions with massive-training artificial neural networks. Research software, not a medical device."
        ),
    )
    parser.add_argument("--version", action="version", version=f"mtann {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{" + ",".join(_COMMANDS) + "}")
    chosen = None
    for name, text in _COMMANDS.items():
        subparser = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        if given and given[0] == name:
            chosen = importlib.import_module(f"mtann.commands.{name}")
            chosen.add_arguments(subparser)
    return parser, chosen


if __name__ == "__main__":
    sys.exit(main())
