"""Where the real scans for tests and benchmarks are."""

import os
from pathlib import Path


def scans_folder() -> Path:
    """The folder named by MTANN_SCANS, else ``shared/data`` beside the repository."""
    named = os.environ.get("MTANN_SCANS")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (folder / "manifest.json").is_file():
        raise SystemExit(
            f"There are no real scans at '{folder}'. Name their folder in the environment variable MTANN_SCANS."
        )
    return folder
