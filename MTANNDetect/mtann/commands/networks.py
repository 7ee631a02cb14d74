"""``mtann networks list``: every network that a plan may name."""

import argparse

from mtann.commands.console import Console
from mtann.commands.options import add_common
from mtann.networks.registry import NETWORKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("action", choices=["list"], help="what to do")
    add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    rows = []
    for name, entry in NETWORKS.items():
        rows.append(
            {
                "name": name,
                "summary": entry.summary,
                "source": entry.source,
                "patches": entry.patches,
                "deep_supervision": entry.deep_supervision,
            }
        )
        supervised = "; answers at every resolution in training" if entry.deep_supervision else ""
        console.say(f"{name:16} {entry.summary} ({entry.source}); patches: {entry.patches}{supervised}")
    console.finish({"networks": rows})
    return 0
