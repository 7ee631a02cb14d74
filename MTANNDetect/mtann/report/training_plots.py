"""The training report's plots: FROC, scores, learning curve."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtann.evaluation.froc import LUNA16_RATES, Froc
from mtann.evaluation.learning_curve import LearningCurve
from mtann.report.diverging import png_bytes
from mtann.report.training import TrainingReport

INK, SOFT, ACCENT, ALARM = "#1b2126", "#56616b", "#00647d", "#b2182b"
_DPI = 120
_LEAST_RATE, _MOST_RATE = 0.1, 10.0
"""Ends of the axis of false alarms. Fewer are drawn at its beginning; of more only operating points, at its end."""
_BINS = 24
_MARKERS = ("o", "s", "^", "D")


def froc_png(report: TrainingReport) -> bytes:
    """Sensitivity against false alarms a case, with the operating points."""
    return png_bytes(froc_figure(report), "white")


def froc_figure(report: TrainingReport) -> Figure:
    """Draw the curve of the single MTANN, that with experts where there are some, and the operating points."""
    figure, axes = plot_page(6.4, 4.0)
    if report.together is not None:
        _draw_froc(axes, report.single, SOFT, "single MTANN", "--")
        _draw_froc(axes, report.together, ACCENT, "with experts", "-")
    else:
        _draw_froc(axes, report.single, ACCENT, "single MTANN", "-")
    for point, marker in zip(report.operating_points, _MARKERS, strict=False):
        rate = float(np.clip(point.fp_per_case, _LEAST_RATE, _MOST_RATE))
        beyond = f" (at {point.fp_per_case:.0f})" if point.fp_per_case > _MOST_RATE else ""
        label = point.name.replace("_", " ") + beyond
        axes.plot([rate], [point.sensitivity], marker, color=INK, markersize=8, label=label, zorder=3)
    axes.set_xscale("log")
    ticks = [rate for rate in LUNA16_RATES if rate >= _LEAST_RATE]
    axes.set_xticks(ticks, [f"{rate:g}" for rate in ticks])
    axes.minorticks_off()
    axes.set(xlim=(_LEAST_RATE, _MOST_RATE), ylim=(0, 1.02), xlabel="false alarms a case", ylabel="lesions found")
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return figure


def _draw_froc(axes: Axes, curve: Froc, colour: str, label: str, style: str) -> None:
    shown = curve.fp_per_case <= _MOST_RATE
    found = [0.0, *curve.sensitivity[shown]]
    rates = np.maximum([0.0, *curve.fp_per_case[shown]], _LEAST_RATE)
    axes.step(
        [*rates, _MOST_RATE],
        [*found, found[-1]],
        where="post",
        color=colour,
        linestyle=style,
        linewidth=1.8,
        label=label,
    )


def scores_png(report: TrainingReport) -> bytes:
    """How the scores of lesions and of false alarms spread."""
    return png_bytes(scores_figure(report), "white")


def scores_figure(report: TrainingReport) -> Figure:
    """Draw a histogram of the found lesions' scores above, of the false alarms' below, and the thresholds."""
    figure = Figure(figsize=(6.4, 4.0), dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    lesions = np.array([one.score for one in report.lesions if one.has_candidate])
    alarms = np.array(report.false_alarms)
    everything = np.concatenate([lesions, alarms, [point.threshold for point in report.operating_points]])
    low, high = (float(everything.min()), float(everything.max())) if len(everything) else (0.0, 1.0)
    edges = np.linspace(low, max(high, low + 1e-6), _BINS + 1)
    missed = len(report.lesions) - len(lesions)
    titles = (f"lesions: {len(lesions)} with a candidate, {missed} without", f"false alarms: {len(alarms)}")
    axes_of = figure.subplots(2, 1, sharex=True)
    for axes, scores, colour, title in zip(axes_of, (lesions, alarms), (ACCENT, ALARM), titles, strict=True):
        axes.hist(scores, bins=edges, color=colour)
        _style(axes)
        axes.set_title(title, loc="left", fontsize=9, color=INK)
        for point, style in zip(report.operating_points, ("-", "--", ":"), strict=False):
            axes.axvline(point.threshold, color=INK, linewidth=1.2, linestyle=style, label=point.name.replace("_", " "))
    axes_of[1].set_xlabel("score")
    if report.operating_points:
        axes_of[0].legend(fontsize=8, frameon=False, title="thresholds", title_fontsize=8)
    return figure


def curve_png(curve: LearningCurve) -> bytes:
    """Sensitivity against the number of lesions learnt from."""
    return png_bytes(curve_figure(curve), "white")


def curve_figure(curve: LearningCurve) -> Figure:
    """Draw the learning curve with its bootstrap intervals."""
    figure, axes = plot_page(6.4, 3.4)
    counts = [point.lesions for point in curve.points]
    means = np.array([point.mean_sensitivity for point in curve.points])
    low = means - [point.low for point in curve.points]
    high = [point.high for point in curve.points] - means
    axes.errorbar(counts, means, yerr=np.maximum([low, high], 0), color=ACCENT, marker="o", capsize=4, linewidth=1.8)
    axes.set(
        ylim=(0, 1.02), xlim=(0, 1.08 * counts[-1]), xlabel="lesions to learn from", ylabel="mean FROC sensitivity"
    )
    return figure


def plot_page(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty plot of a size in inches, in the reports' style."""
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _style(axes)
    return figure, axes


def _style(axes: Axes) -> None:
    axes.grid(True, color="#e3e7ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(SOFT)
