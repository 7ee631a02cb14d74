"""``python -m mtann`` is the command line."""

import sys

from mtann.cli import run

sys.exit(run())
