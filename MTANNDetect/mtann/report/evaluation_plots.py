"""The evaluation report's plots: FROC, sizes, reliability, volumes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtann.evaluation.assess import Evaluation
from mtann.evaluation.froc import LUNA16_RATES, Froc
from mtann.evaluation.levels import VoxelLevel
from mtann.report.diverging import png_bytes
from mtann.report.training_plots import ACCENT, ALARM, INK, SOFT, plot_page

_LEAST_RATE, _MOST_RATE = 0.1, 10.0


def evaluation_froc_png(evaluation: Evaluation) -> bytes:
    """Sensitivity against false alarms a case, with intervals at LUNA16's rates, and the threshold in use."""
    figure, axes = plot_page(6.4, 4.0)
    if evaluation.froc is not None:
        _draw_curve(axes, evaluation.froc)
    for rate in LUNA16_RATES:
        measured = evaluation.lesion.get(f"sensitivity_at_{rate:g}_fp")
        if measured is not None and measured.low is not None and measured.high is not None:
            axes.plot([rate, rate], [measured.low, measured.high], color=ACCENT, linewidth=4, alpha=0.25)
    sensitivity, rate_now = evaluation.lesion["sensitivity"].value, evaluation.lesion["fp_per_case"].value
    if sensitivity is not None and rate_now is not None:
        shown = float(np.clip(rate_now, _LEAST_RATE, _MOST_RATE))
        axes.plot([shown], [sensitivity], "o", color=INK, markersize=8, label="threshold in use", zorder=3)
        axes.legend(loc="lower right", frameon=False, fontsize=9)
    axes.set_xscale("log")
    axes.set_xticks(LUNA16_RATES, [f"{rate:g}" for rate in LUNA16_RATES])
    axes.minorticks_off()
    axes.set(xlim=(_LEAST_RATE, _MOST_RATE), ylim=(0, 1.02), xlabel="false alarms a case", ylabel="lesions found")
    return png_bytes(figure, "white")


def _draw_curve(axes: Axes, curve: Froc) -> None:
    shown = curve.fp_per_case <= _MOST_RATE
    found = [0.0, *curve.sensitivity[shown]]
    rates = [*np.maximum([0.0, *curve.fp_per_case[shown]], _LEAST_RATE), _MOST_RATE]
    axes.step(rates, [*found, found[-1]], where="post", color=ACCENT, linewidth=1.8, label="all thresholds")


def sizes_png(evaluation: Evaluation) -> bytes:
    """Share of lesions found by size, with intervals."""
    figure, axes = plot_page(6.4, 3.0)
    known = [(name, count, found) for name, (count, found) in evaluation.sizes.items() if found.value is not None]
    for place, (_, _, found) in enumerate(known):
        if found.value is None:
            continue
        axes.bar(place, found.value, color=ACCENT, width=0.6)
        if found.low is not None and found.high is not None:
            axes.plot([place, place], [found.low, found.high], color=INK, linewidth=1.6)
    axes.set_xticks(range(len(known)), [f"{name}\n({count})" for name, count, _ in known])
    axes.set(ylim=(0, 1.02), ylabel="lesions found")
    return png_bytes(figure, "white")


def reliability_png(evaluation: Evaluation) -> bytes:
    """Share of candidates on lesions against their probability, by tenths; areas tell how many they are."""
    figure, axes = plot_page(4.6, 4.2)
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--")
    bins = evaluation.reliability.bins if evaluation.reliability else ()
    most = max((one.count for one in bins), default=1)
    axes.plot([one.probability for one in bins], [one.share for one in bins], color=ACCENT, linewidth=1.2)
    for one in bins:
        axes.plot([one.probability], [one.share], "o", color=ACCENT, markersize=5 + 11 * (one.count / most) ** 0.5)
        axes.annotate(
            f"{one.count}", (one.probability, one.share), xytext=(8, -12), textcoords="offset points", fontsize=8
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="probability", ylabel="share on lesions")
    return png_bytes(figure, "white")


def volumes_png(voxels: VoxelLevel, evaluation: Evaluation) -> bytes:
    """Bland and Altman's plot: difference of volumes against their mean, with bias and limits of agreement."""
    figure, axes = plot_page(6.4, 3.6)
    found, true = np.array(voxels.values("volume_mm3")), np.array(voxels.values("reference_mm3"))
    axes.plot((found + true) / 2, found - true, "o", color=ACCENT, markersize=5, alpha=0.8)
    for name, colour, style in (("bias", INK, "-"), ("limit_low", ALARM, "--"), ("limit_high", ALARM, "--")):
        measured = evaluation.voxel[f"volume_{name}_mm3"]
        if measured.value is not None:
            axes.axhline(measured.value, color=colour, linestyle=style, linewidth=1.2)
    axes.set(xlabel="mean of both volumes (mm³)", ylabel="found less true (mm³)")
    return png_bytes(figure, "white")


def difference_figure(names: list[str], rows: list[tuple[float, float, float]]) -> Figure:
    """Differences with their intervals, one row each."""
    figure, axes = plot_page(6.4, 0.6 + 0.35 * max(1, len(rows)))
    for place, (value, low, high) in enumerate(reversed(rows)):
        axes.plot([low, high], [place, place], color=ACCENT, linewidth=2.5)
        axes.plot([value], [place], "o", color=INK, markersize=5)
    axes.axvline(0, color=SOFT, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set_xlabel("A less B")
    return figure
