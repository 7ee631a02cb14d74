"""How much is learnt from 5, 10, 20, 50 lesions: by the historic MTANN, by the default one, and by a planned U-Net.

On head phantoms with vessels and other bright structures, and on three real brains with multiple sclerosis (two to
learn from, the third to try on). All learners get the same images at 1.5 mm, the same lesions of them and three seeds,
of lesions and of training. The measure is the mean sensitivity at 1/8 to 8 false alarms a case. On phantoms the
interval is by phantom, the same phantoms drawn for all seeds; three patients are too few for one.

The U-Net is planned by nnU-Net's rules, but has a quarter of its feature maps and learns for 200 batches, which is what
a processor does in a minute and a half: no word on U-Nets taught in full on a graphics card.

Every training is kept in a file as soon as it is done, and not repeated; one that would start after the budget's end is
left for the next time.

Run: ``python Testing/dev.py bench lesions_to_learn_from [--minutes N] [--learners ...] [--report]``
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from learning_curves import read_runs, table, write_plot
from learning_data import ALL, PATIENTS, Task, is_counted, open_ms_task, phantom_task
from learning_learners import EPOCHS, ITERATIONS, LEARNERS, Detector

from mtann.evaluation.matching import match_places

RESULTS = Path(__file__).with_suffix(".json")
PLOT = Path(__file__).with_suffix(".png")
PHANTOM_COUNTS, OPEN_MS_COUNTS = (5, 10, 20, 50), (5, 10, 20, ALL)
SEEDS = (0, 1, 2)
MOST_RATE = 8


def runs() -> Iterator[tuple[str, str, str, int, int]]:
    """Data, patient held out (of phantoms, none), learner, lesions, seed; the first seed of everything first."""
    for seed in SEEDS:
        for count in PHANTOM_COUNTS:
            yield from (("phantoms", "", name, count, seed) for name in LEARNERS)
        for patient in PATIENTS:
            for count in OPEN_MS_COUNTS:
                yield from (("open_ms", patient, name, count, seed) for name in LEARNERS)


def outcome(find: Detector, task: Task) -> dict[str, list[list[float | None]]]:
    """Scores of lesions that count (none: missed) and of false alarms, case by case.

    What lies on a lesion too small to count is neither. Of more false alarms in one case than all cases may have at the
    highest rate, the weakest can change nothing and are left out.
    """
    lesions: list[list[float | None]] = []
    alarms: list[list[float | None]] = []
    most = MOST_RATE * len(task.unseen) + 1
    for case in task.unseen:
        found = find(case)
        match = match_places([place for place, _ in found], [score for _, score in found], case.lesions)
        counted = [s for s, one in zip(match.lesion_scores, case.lesions, strict=True) if is_counted(one)]
        lesions.append([round(score, 5) if np.isfinite(score) else None for score in counted])
        alarms.append([round(score, 5) for score in sorted(match.false_alarm_scores, reverse=True)[:most]])
    return {"lesions": lesions, "alarms": alarms}


def work(results: Path, minutes: float, learners: Sequence[str], settings: dict[str, Any]) -> None:
    """Do the runs of these learners that are missing, until the time is over."""
    start = time.monotonic()
    kept = json.loads(results.read_text()) if results.exists() else {"settings": settings, "runs": {}}
    if kept["settings"] != settings:
        raise SystemExit(f"'{results}' was measured with other settings. Name another file with --results.")
    for data, patient, name, count, seed in runs():
        key = " ".join(filter(None, (data, patient, name, str(count or "all"), str(seed))))
        if key in kept["runs"] or name not in learners:
            continue
        if time.monotonic() - start > 60 * minutes:
            print("The budget is used up; run again to go on.")
            return
        task = phantom_task(count, seed) if data == "phantoms" else open_ms_task(count, seed, patient)
        before = time.process_time()
        find = LEARNERS[name](task, seed)
        learnt = time.process_time() - before
        found = outcome(find, task)
        kept["runs"][key] = {"given": task.given, "seconds": round(learnt, 1), **found}
        write(results, kept)
        print(f"{key}: {learnt:.0f} s to learn, done after {time.monotonic() - start:.0f} s", flush=True)


def write(results: Path, kept: dict[str, Any]) -> None:
    """Swap the new results in, one line a run."""
    lines = ",\n".join(
        f"{json.dumps(key)}: {json.dumps(run, separators=(',', ':'))}" for key, run in kept["runs"].items()
    )
    partial = results.with_suffix(".partial")
    partial.write_text(f'{{"settings": {json.dumps(kept["settings"])},\n"runs": {{\n{lines}\n}}}}\n', encoding="utf-8")
    partial.replace(results)


def report(results: Path, counts: dict[str, Sequence[int]], plot: Path) -> None:
    """Print both tables and draw the plot."""
    found = {data: read_runs(results, data) for data in counts}
    for data, own in counts.items():
        print(f"\n{data}\n{table(found[data], list(LEARNERS), own)}")
    write_plot(plot, found, list(LEARNERS), counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="runs that are done, kept")
    parser.add_argument("--plot", type=Path, default=PLOT, help="where to draw the curves")
    parser.add_argument("--minutes", type=float, default=60.0, help="no training starts after so long")
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=list(LEARNERS), help="which are trained")
    parser.add_argument("--report", action="store_true", help="only print and draw what is there")
    arguments = parser.parse_args()
    if not arguments.report:
        settings = {"u-net": {"epochs": EPOCHS, "iterations": ITERATIONS}}
        work(arguments.results, arguments.minutes, arguments.learners, settings)
    report(arguments.results, {"phantoms": PHANTOM_COUNTS, "open_ms": OPEN_MS_COUNTS}, arguments.plot)


if __name__ == "__main__":
    main()
