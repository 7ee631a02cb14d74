"""A picture's page: texts and panels placed in inches, and how it becomes a PNG."""

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from mtann.report.panel import BACKGROUND, TEXT

MOST_NAME = 70
"""Letters of a model's name and version that a footer has room for."""


@dataclass(frozen=True)
class Page:
    """A figure measured in inches from its lower left corner."""

    figure: Figure
    width: float
    height: float

    def write(
        self, x: float, y: float, text: str, size: float, colour: str = TEXT, bold: bool = False, align: str = "left"
    ) -> None:
        """Write one line, its middle at a height."""
        self.figure.text(
            x / self.width,
            y / self.height,
            text,
            fontsize=size,
            color=colour,
            fontweight="bold" if bold else "normal",
            ha=align,
            va="center",
            parse_math=False,
        )

    def place(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """A rectangle as matplotlib wants it."""
        return x / self.width, y / self.height, width / self.width, height / self.height


def save_png(figure: Figure, path: Path | str) -> None:
    """Write a figure as a PNG whose bytes depend on nothing but the picture."""
    # Low compression is three times as fast, for a file a tenth larger.
    options = {"compress_level": 3}
    figure.savefig(path, format="png", facecolor=BACKGROUND, metadata={"Software": None}, pil_kwargs=options)


def shortened(text: str, most: int) -> str:
    """A text cut to a number of letters."""
    return text if len(text) <= most else text[: most - 1] + "…"
