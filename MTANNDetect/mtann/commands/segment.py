"""``mtann segment``: outline lesions with an MTANN, or segment labels and regions with a U-Net."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtann.cases import CaseFiles, read_case_list
from mtann.commands.cohort import Outcome, run_cohort
from mtann.commands.console import Console
from mtann.commands.inputs import add_images, named_files
from mtann.commands.options import add_backend, add_common, add_device
from mtann.commands.reading import CaseReader
from mtann.commands.resume import image_hash
from mtann.errors import SettingsError
from mtann.given_files import hash_given, read_given
from mtann.models.bundle import ModelBundle
from mtann.models.card import ModelCard
from mtann.output_folder import check_output, recover_folder
from mtann.progress import Progress
from mtann.report.words import count_words, millilitre_words
from mtann.segmentation.files import DOCUMENT_FILE, REPORT_FILE, SEGMENTATION_FOLDER, save_segmentation
from mtann.segmentation.likelihood import resolve_segmentation
from mtann.segmentation.result import SegmentationSettings
from mtann.segmentation.segment import open_segmenter, segment
from mtann.settings import make_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    add_images(parser)
    parser.add_argument(
        "--model",
        required=True,
        help="folder of a model bundle or of a model of nnU-Net v2, or the name of a bundled model",
    )
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for the result; a former segmentation there is replaced",
    )
    parser.add_argument(
        "--cases",
        type=Path,
        metavar="CSV",
        help="a list of cases; each gets its own folder within DIR, and finished ones are skipped",
    )
    add_device(parser)
    add_backend(parser)
    add_common(parser)
    mtann = parser.add_argument_group("MTANN models")
    mtann.add_argument("--mask", type=Path, metavar="IMAGE", help="where to look: non-zero voxels")
    mtann.add_argument(
        "--threshold", type=float, metavar="X", help="least likelihood of a lesion's voxels (default: the model's)"
    )
    unet = parser.add_argument_group("U-Net models")
    unet.add_argument("--folds", metavar="K,K", help="which of the model's folds, as in 0,1 (default: all)")
    unet.add_argument("--no-mirroring", action="store_true", help="evaluate no mirrored patches: faster, less exact")
    unet.add_argument("--overlap", type=float, default=0.5, metavar="X", help="least overlap of patches (default: 0.5)")
    unet.add_argument("--probabilities", action="store_true", help="write each class's probabilities, too")
    unet.add_argument(
        "--uncertainty",
        action="store_true",
        help="also tell how far folds and mirrored patches disagree: variance.nii.gz, entropy.nii.gz and an interval "
        "for the volume of each component; takes twice as long",
    )
    unet.add_argument(
        "--around",
        nargs="?",
        const="",
        metavar="CANDIDATES",
        help="segment only about these: candidates.json of a result, points, or a label map; with --cases, the column "
        "'candidates' names it",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if arguments.cases and (arguments.images or arguments.channel or arguments.mask):
        raise SettingsError("Give either images or --cases, not both; with --cases the list names images and masks.")
    if arguments.around is not None and bool(arguments.around) == bool(arguments.cases):
        raise SettingsError(
            "Give the candidates of one case as --around FILE; with --cases, give --around alone, "
            "and a column 'candidates'."
        )
    if not arguments.cases:
        recover_folder(arguments.output, SEGMENTATION_FOLDER)
        check_output(arguments.output, SEGMENTATION_FOLDER)
    settings = _settings(arguments)
    with CaseReader(arguments) as reader:
        console.progress(Progress("read", 0.0, "Opening the model"))
        bundle = open_segmenter(arguments.model, settings.folds)
        if isinstance(bundle.card, ModelCard):
            resolve_segmentation(bundle.card, settings.threshold)  # refuses what cannot be, before the work
        segmenting = _Segmenting(arguments, console, bundle, settings, reader)
        return segmenting.many() if arguments.cases else segmenting.one()


@dataclass(frozen=True)
class _Segmenting:
    """One run of the command over its cases."""

    arguments: argparse.Namespace
    console: Console
    bundle: ModelBundle[Any]
    settings: SegmentationSettings
    reader: CaseReader

    def one(self) -> int:
        arguments, console = self.arguments, self.console
        files = named_files(arguments.images, arguments.channel, self.bundle.card)
        document = self._segment(CaseFiles("", "", files, arguments.mask), arguments.output)
        for name, volume in document["volumes_mm3"].items():
            console.say(
                f"{name}: {millilitre_words(volume)} in {count_words(document['components'][name], 'component')}"
            )
        console.say(f"Decided by {document['threshold_origin']}.")
        if document["computation"]:
            console.say(f"Computed with {document['computation']}.")
        console.say(f"Written to {arguments.output}: see report.html. Research software; review every result.")
        console.finish({"output": str(arguments.output), **document})
        return 0

    def many(self) -> int:
        arguments = self.arguments
        needs = () if arguments.around is None else ("candidates",)
        cases = read_case_list(arguments.cases, self.bundle.card.channel_names, needs)
        self.reader.follow(cases)
        return run_cohort(cases, arguments.output, SEGMENTATION_FOLDER, self.console, self._one_of_many)

    def _one_of_many(self, case: CaseFiles, output: Path) -> Outcome | None:
        if self._is_done(output, case):
            return None
        volumes = self._segment(case, output)["volumes_mm3"]
        return {"message": ", ".join(f"{name} {millilitre_words(volume)}" for name, volume in volumes.items())}

    def _segment(self, case: CaseFiles, output: Path) -> dict[str, Any]:
        arguments, console = self.arguments, self.console
        around_file = self._around(case)
        around = None if around_file is None else read_given(around_file, series=arguments.series)
        console.progress(Progress("read", 0.0, "Reading images"))
        volumes, mask = self.reader.read(case)
        result = segment(
            volumes,
            self.bundle,
            self.settings,
            mask=mask,
            around=around,
            progress=console.progress,
        )
        for warning in result.warnings:
            console.warn(warning)
        asked = {
            "asked": self.settings.model_dump(mode="json"),
            "around_sha256": None if around is None else hash_given(around),
        }
        console.progress(Progress("write", 1.0, "Writing the result"))
        first = volumes[self.bundle.card.channel_names[0]]
        document = save_segmentation(result, first, output, self.bundle.card.intended_use, asked)
        console.end_progress()
        return document

    def _around(self, case: CaseFiles) -> Path | None:
        """The places of a case: the one file, or of a list each row's ``candidates``."""
        if self.arguments.around is None:
            return None
        return case.candidates or Path(self.arguments.around)

    def _is_done(self, output: Path, case: CaseFiles) -> bool:
        """Whether the folder holds the result of the same images, model and settings."""
        try:
            document = json.loads((output / DOCUMENT_FILE).read_text(encoding="utf-8"))
            found = [document[key] for key in ("inputs", "mask", "asked", "model", "around_sha256")]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if not (output / REPORT_FILE).is_file():  # of a version that wrote none
            return False
        series, around_file = self.arguments.series, self._around(case)
        return found == [
            {name: image_hash(path, series) for name, path in case.channels.items()},
            image_hash(case.mask, series) if case.mask else None,
            self.settings.model_dump(mode="json"),
            {**document["model"], "sha256": self.bundle.sha256},
            None if around_file is None else hash_given(read_given(around_file, series=series)),
        ]


def _settings(arguments: argparse.Namespace) -> SegmentationSettings:
    folds = tuple(fold.strip() for fold in (arguments.folds or "").split(",") if fold.strip())
    return make_settings(
        SegmentationSettings,
        threshold=arguments.threshold,
        folds=folds,
        mirroring=not arguments.no_mirroring,
        overlap=arguments.overlap,
        probabilities=arguments.probabilities,
        uncertainty=arguments.uncertainty,
        device=arguments.device,
        backend=arguments.backend,
        precision=arguments.precision,
    )
