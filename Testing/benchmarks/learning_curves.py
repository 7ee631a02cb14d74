"""From kept runs to a table and a plot of what is found against how many lesions were learnt from."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mtann.evaluation.bootstrap import FloatArray, Measured, difference, measure, resamples
from mtann.evaluation.ranked import RankedCandidates
from mtann.report.training_plots import ACCENT, ALARM, INK, SOFT, plot_page

STYLES = {"historic": (SOFT, "s", "--"), "default": (ACCENT, "o", "-"), "u-net": (ALARM, "^", "-.")}
LABELS = {"historic": "historic MTANN", "default": "default MTANN", "u-net": "U-Net, CPU-limited"}


@dataclass
class Runs:
    """The runs of a learner with so many lesions.

    Attributes:
        found: By seed, and by patient held out ('' for phantoms).
        given: How many lesions there were to learn from, in each run.
    """

    found: dict[int, dict[str, RankedCandidates]] = field(default_factory=lambda: defaultdict(dict))
    given: list[int] = field(default_factory=list)
    cases: int = 0

    @property
    def all(self) -> list[dict[str, RankedCandidates]]:
        """Seeds that are complete: with as many patients as the first has."""
        return [own for own in self.found.values() if len(own) == self.patients]

    @property
    def patients(self) -> int:
        """How many patients were held out in turn; one where all cases are unseen."""
        return max(len(own) for own in self.found.values())

    @property
    def by_seed(self) -> list[float]:
        """Each seed's mean sensitivity."""
        ones = np.ones((1, self.cases))
        return [float(np.mean([one.mean_sensitivity(ones)[0] for one in own.values()])) for own in self.all]

    @property
    def measured(self) -> Measured:
        """The mean over seeds, with an interval by case where there are enough."""
        return measure(self.statistic, resamples([str(number) for number in range(self.cases)]))

    def statistic(self, weights: FloatArray) -> FloatArray:
        """Mean over seeds, and over patients held out, of the mean sensitivity at LUNA16's rates."""
        return np.mean([np.mean([one.mean_sensitivity(weights) for one in own.values()], 0) for own in self.all], 0)


Found = Mapping[tuple[str, int], Runs]
"""By learner and number of lesions, 0 for all."""


def read_runs(results: Path, data: str) -> Found:
    """The kept runs on some data."""
    found: dict[tuple[str, int], Runs] = defaultdict(Runs)
    for key, run in json.loads(results.read_text())["runs"].items():
        own, *patient, name, count, seed = key.split()
        if own != data:
            continue
        runs = found[name, 0 if count == "all" else int(count)]
        runs.found[int(seed)]["".join(patient)] = ranked(run)
        runs.given.append(run["given"])
        runs.cases = len(run["lesions"])
    return found


def ranked(run: Mapping[str, Any]) -> RankedCandidates:
    """A run's lesions and false alarms."""
    lesions = [[-np.inf if score is None else score for score in case] for case in run["lesions"]]
    return RankedCandidates(lesions, run["alarms"])


def table(found: Found, learners: Sequence[str], counts: Sequence[int]) -> str:
    """Markdown: a row a number of lesions, a column a learner, and what the default has more than the U-Net."""
    lines = [
        "| lesions | " + " | ".join([*learners, "default less u-net"]) + " |",
        "|---|" + "---|" * (len(learners) + 1),
    ]
    for count in counts:
        cells = [_cell(found.get((name, count))) for name in learners]
        cells.append(_gain(found.get(("default", count)), found.get(("u-net", count))))
        lines.append(f"| {count or _all(found)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _all(found: Found) -> str:
    given = [n for (_, count), runs in found.items() if count == 0 for n in runs.given]
    return f"all ({min(given)} to {max(given)})" if given else "all"


def _cell(runs: Runs | None) -> str:
    if runs is None:
        return "–"
    own, seeds = runs.measured, runs.by_seed
    spread = f"seeds {min(seeds):.3f} to {max(seeds):.3f}" if len(seeds) > 1 else "one seed"
    if own.low is None or own.high is None:
        patients = f"{runs.patients} patients; " if runs.patients > 1 else "one patient; "
        return f"{own.value:.3f} ({patients}{spread})"
    return f"{own.value:.3f} ({own.low:.3f} to {own.high:.3f}; {spread})"


def _gain(first: Runs | None, second: Runs | None) -> str:
    if first is None or second is None or (first.cases, first.patients) != (second.cases, second.patients):
        return "–"
    gain = difference(first.statistic, second.statistic, resamples([str(number) for number in range(first.cases)]))
    if gain.low is None or gain.high is None:
        return f"{gain.value:+.3f}"
    return f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"


def write_plot(
    path: Path, found: Mapping[str, Found], learners: Sequence[str], counts: Mapping[str, Sequence[int]]
) -> None:
    """Two plots side by side, each learner a line with its seeds as points."""
    figure, first = plot_page(8.0, 3.4)
    first.remove()
    titles = {"phantoms": "head phantoms, 10 unseen", "open_ms": "multiple sclerosis, the third of 3 patients"}
    for place, (data, own) in enumerate(counts.items()):
        axes = figure.add_subplot(1, len(counts), place + 1)
        _draw(axes, found[data], learners, own)
        axes.set_title(titles.get(data, data), loc="left", fontsize=10, color=INK)
        if place == 0:
            axes.set_ylabel("mean sensitivity,\n1/8 to 8 false alarms a case", fontsize=9)
    # Real lesions are hard for all, so that the last panel has room above.
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    figure.savefig(path)


def _draw(axes: Any, found: Found, learners: Sequence[str], counts: Sequence[int]) -> None:
    for name in learners:
        colour, marker, line = STYLES[name]
        known = [(place, found[name, count]) for place, count in enumerate(counts) if (name, count) in found]
        means = [runs.measured for _, runs in known]
        places = [place for place, _ in known]
        axes.plot(places, [own.value for own in means], line, color=colour, marker=marker, label=LABELS[name])
        for (place, runs), own in zip(known, means, strict=True):
            if own.low is not None:
                axes.plot([place, place], [own.low, own.high], color=colour, linewidth=4, alpha=0.2)
            axes.plot([place] * len(runs.by_seed), runs.by_seed, ".", color=colour, markersize=4, alpha=0.7)
    axes.set_xticks(range(len(counts)), [str(count or _all(found)).replace(" (", "\n(") for count in counts])
    axes.set(ylim=(0, 1.02), xlabel="lesions to learn from")
    axes.grid(True, color="#e3e7ea", linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
