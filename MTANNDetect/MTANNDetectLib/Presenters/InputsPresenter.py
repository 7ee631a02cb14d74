"""Which image belongs to which channel of a model, and what to warn of before a run."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..Translation import _

_SYNONYMS = {
    "t1c": {"t1c", "t1ce", "t1gd", "t1post", "t1contrast", "postcontrast", "gd", "gad", "contrast", "ce"},
    "t1": {"t1", "t1w", "t1n", "mprage", "spgr", "bravo", "t1pre"},
    "t2": {"t2", "t2w"},
    "flair": {"flair", "t2f", "t2flair"},
    "adc": {"adc"},
    "dwi": {"dwi", "trace", "b1000"},
    "swi": {"swi", "t2star"},
    "ct": {"ct", "ncct", "hu"},
    "pet": {"pet", "suv", "fdg"},
}
_COARSE_FACTOR = 2.0
_LEAST_OVERLAP = 0.9


@dataclass(frozen=True)
class ImageFacts:
    """What is known of a volume of the scene.

    Attributes:
        id: The node's id.
        name: The node's name.
        series: The DICOM series description, if there is one.
        spacingMm: Its spacing along x, y and z, as the user sees it.
        overlap: Share of the first image that it covers.
        problem: Why it cannot be used; empty if it can.
        notes: What to know of it, such as that it is one frame of a sequence.
        bends: Whether its parent transform bends space.
    """

    id: str
    name: str
    series: str = ""
    spacingMm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    overlap: float = 1.0
    problem: str = ""
    notes: tuple[str, ...] = ()
    bends: bool = False


def matchChannels(channels: Sequence[str], images: Sequence[ImageFacts]) -> dict[str, str]:
    """The image's id for each channel that one can be found for; each image is used once.

    By the node's name, then by the DICOM series description; what is left goes by order, but only where there are just
    as many images as channels left.
    """
    chosen: dict[str, str] = {}
    usable = [image for image in images if not image.problem]
    for read in (lambda image: image.name, lambda image: image.series):
        for channel in channels:
            free = [image for image in usable if image.id not in chosen.values()]
            fits = [image for image in free if channel not in chosen and _says(read(image), channel)]
            if fits:
                chosen[channel] = fits[0].id
    left = [channel for channel in channels if channel not in chosen]
    free = [image for image in usable if image.id not in chosen.values()]
    if left and len(left) == len(free):
        chosen |= {channel: image.id for channel, image in zip(left, free, strict=True)}
    return chosen


def noteOn(image: ImageFacts | None, first: ImageFacts | None, expectedMm: float, channel: str) -> str:
    """What to say under a channel's row: why the image cannot be used, or what to be careful of; else nothing."""
    if image is None:
        return ""
    if image.problem:
        return image.problem
    notes = list(image.notes)
    if image.bends:
        notes.append(_("Its transform bends space: sizes are then measured in its own space."))
    if first is not None and image.id != first.id and image.overlap < _LEAST_OVERLAP:
        notes.append(
            _("It covers only {share:.0f} % of the first image: what lies outside it is guessed from its edge.").format(
                share=100 * image.overlap
            )
        )
    coarsest = max(image.spacingMm)
    if expectedMm and coarsest > _COARSE_FACTOR * expectedMm:
        notes.append(
            _("Its slices are {found:.1f} mm apart, the model works at {expected:.1f} mm: small lesions may be missed.")
            .format(found=coarsest, expected=expectedMm)
        )  # fmt: skip
    if not _mayBe(image, channel):
        notes.append(_("Its name says another kind of image than {channel}: check it.").format(channel=channel))
    return " ".join(notes)


def whatIsMissing(channels: Sequence[str], chosen: Mapping[str, ImageFacts | None]) -> str:
    """Why a run cannot start, or nothing."""
    missing = [channel for channel in channels if chosen.get(channel) is None]
    if missing:
        return _("Choose an image for {channels}.").format(channels=", ".join(missing))
    unusable = [channel for channel, image in chosen.items() if image is not None and image.problem]
    if unusable:
        return _("The image for {channels} cannot be used; see the note under it.").format(channels=", ".join(unusable))
    ids = [image.id for image in chosen.values() if image is not None]
    if len(set(ids)) < len(ids):
        return _("Two channels have the same image. Choose another one for one of them.")
    return ""


def _mayBe(image: ImageFacts, channel: str) -> bool:
    """False only where the name clearly names another known channel and not this one."""
    known = _key(channel)
    if known is None:
        return True
    named = {key for key in _SYNONYMS if _says(image.name, key)}
    return not named or known in named


def _key(channel: str) -> str | None:
    words = _words(channel)
    for key, synonyms in _SYNONYMS.items():
        if words & synonyms:
            return key
    return None


def _says(text: str, channel: str) -> bool:
    """Whether a name tells this channel: all words of it or a synonym, but not those of a more special channel."""
    words = _words(text)
    key = _key(channel)
    if key is None:
        return bool(words) and _words(channel) <= words
    if key == "t1" and words & _SYNONYMS["t1c"]:
        return False
    if key == "t2" and words & _SYNONYMS["flair"]:
        return False
    if (
        key == "t1c"
        and "t1" not in "".join(sorted(words))
        and not words & (_SYNONYMS["t1c"] - {"contrast", "ce", "gd"})
    ):
        return False
    return bool(words & _SYNONYMS[key])


def _words(text: str) -> set[str]:
    plain = re.sub(r"t1\s*(\+\s*(c|gd)|\s+c\b)", "t1c", text.lower())
    plain = re.sub(r"t2\s*\*", "t2star", plain)
    return set(re.findall(r"[a-z0-9]+", plain))
