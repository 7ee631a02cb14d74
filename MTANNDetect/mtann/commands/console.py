"""What the command line shows: progress, results and errors, for people or as JSON for machines."""

import json
import sys
from typing import Any

from mtann.errors import MTANNError
from mtann.progress import Progress


class Console:
    """Talks to the terminal. Results go to standard output, everything else to standard error.

    Args:
        as_json: Whether to print one JSON document at the end and nothing else on standard output.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._bar: Any = None

    def progress(self, progress: Progress) -> None:
        """Show a progress report as a bar; nothing for machines."""
        if self.as_json:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=100, bar_format="{desc:<44.44} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}", file=sys.stderr
            )
        self._bar.set_description_str(progress.message, refresh=False)
        self._bar.update(max(0.0, 100 * progress.fraction - self._bar.n))

    def end_progress(self) -> None:
        """Leave the progress bar behind."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, text: str) -> None:
        """Show a line to a person."""
        self.end_progress()
        if not self.as_json:
            sys.stdout.write(text + "\n")

    def warn(self, text: str) -> None:
        """Show a warning."""
        self.end_progress()
        sys.stderr.write(f"mtann: warning: {text}\n")

    def finish(self, document: dict[str, Any]) -> None:
        """Print the machine's document."""
        self.end_progress()
        if self.as_json:
            sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def fail(self, kind: str, text: str) -> None:
        """Show an error, in one line."""
        self.end_progress()
        line = _one_line(text)
        if self.as_json:
            sys.stdout.write(json.dumps({"error": {"kind": kind, "message": line}}, ensure_ascii=False) + "\n")
        else:
            sys.stderr.write(f"mtann: error: {line}\n")


def explain(error: Exception) -> tuple[str, str]:
    """The kind of an error, and in one line what happened and what to do."""
    if isinstance(error, MTANNError):
        return type(error).__name__, _one_line(str(error))
    if isinstance(error, MemoryError):
        return "MemoryError", "Memory ran out. Close other programs, or use smaller tiles (--tile-voxels)."
    return "Defect", _one_line(
        f"Unexpected problem ({type(error).__name__}: {error}). "
        "Please report it; MTANN_TRACEBACK=1 shows where it happened."
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
