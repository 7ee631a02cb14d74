"""Colours and standard terms of labels whose names are known.

Codes are of SNOMED CT, as in Slicer's "3D Slicer General Anatomy list" and DICOM's own context groups.
"""

import re
from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Term:
    """What a label means, as a code of SNOMED CT, and how it is usually drawn.

    Attributes:
        category: Code and meaning of the category.
        code: Code and meaning of the type.
        colour: Red, green and blue, 0 to 255.
    """

    category: tuple[str, str]
    code: tuple[str, str]
    colour: Colour


_ORGAN = ("123037004", "Anatomical Structure")
_ALTERED = ("49755003", "Morphologically Altered Structure")

_TERMS: dict[str, Term] = {
    "tumor": Term(_ALTERED, ("4147007", "Mass"), (144, 238, 144)),
    "lesion": Term(_ALTERED, ("52988006", "Lesion"), (253, 173, 80)),
    "core": Term(_ALTERED, ("4147007", "Mass"), (220, 60, 60)),
    "enhancing": Term(_ALTERED, ("4147007", "Mass"), (255, 215, 0)),
    "edema": Term(_ALTERED, ("79654002", "Edema"), (140, 224, 228)),
    "necrosis": Term(_ALTERED, ("6574001", "Necrosis"), (216, 191, 216)),
    "cyst": Term(_ALTERED, ("12494005", "Cyst"), (205, 205, 100)),
    "liver": Term(_ORGAN, ("10200004", "Liver"), (221, 130, 101)),
    "spleen": Term(_ORGAN, ("78961009", "Spleen"), (157, 108, 162)),
    "kidney": Term(_ORGAN, ("64033007", "Kidney"), (185, 102, 83)),
    "pancreas": Term(_ORGAN, ("15776009", "Pancreas"), (249, 180, 111)),
    "prostate": Term(_ORGAN, ("41216001", "Prostate"), (230, 158, 140)),
    "lung": Term(_ORGAN, ("39607008", "Lung"), (197, 165, 145)),
    "heart": Term(_ORGAN, ("80891009", "Heart"), (206, 110, 84)),
    "brain": Term(_ORGAN, ("12738006", "Brain"), (250, 250, 225)),
    "aorta": Term(_ORGAN, ("15825003", "Aorta"), (224, 97, 76)),
    "stomach": Term(_ORGAN, ("69695003", "Stomach"), (216, 132, 105)),
    "gallbladder": Term(_ORGAN, ("28231008", "Gallbladder"), (139, 150, 98)),
    "bladder": Term(_ORGAN, ("89837001", "Bladder"), (222, 154, 132)),
    "colon": Term(_ORGAN, ("71854001", "Colon"), (204, 168, 143)),
    "esophagus": Term(_ORGAN, ("32849002", "Esophagus"), (211, 171, 143)),
    "hippocampus": Term(_ORGAN, ("5366008", "Hippocampus"), (220, 216, 20)),
}

# Which word of a name decides; the first that is found. "Enhancing tumor core" is drawn as enhancing.
_WORDS: tuple[tuple[str, str], ...] = (
    (r"non.?enhancing|necro\w*|\bncr\b", "necrosis"),
    (r"enhanc\w*|\bet\b", "enhancing"),
    (r"core|\btc\b", "core"),
    (r"o?edema\w*|\bed\b|snfh", "edema"),
    (r"tumou?rs?|\bwt\b|cancer|carcinoma|glioma|mass", "tumor"),
    (r"lesions?|metasta\w*|nodules?", "lesion"),
    (r"cysts?", "cyst"),
    (r"gall.?bladder", "gallbladder"),
    (r"bladder", "bladder"),
    (r"kidneys?", "kidney"),
    (r"lungs?", "lung"),
    (r"o?esophagus", "esophagus"),
    *((name, name) for name in ("liver", "spleen", "pancreas", "prostate", "heart", "brain", "aorta", "stomach")),
    (r"colon", "colon"),
    (r"hippocamp\w*", "hippocampus"),
)

# Distinct by hue and lightness, also to most colour-blind readers (Okabe and Ito's set, without black).
_OTHERS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def term_of(name: str) -> Term | None:
    """The standard term of a label by its name; None where the name says nothing that is known."""
    words = name.lower().replace("_", " ").replace("-", " ")
    for pattern, key in _WORDS:
        if re.search(rf"(?<![a-z])(?:{pattern})(?![a-z])", words):
            return _TERMS[key]
    return None


def label_colour(name: str, number: int) -> Colour:
    """A label's colour: the usual one of what it is, else the next of a set of distinct ones."""
    term = term_of(name)
    return term.colour if term is not None else _OTHERS[number % len(_OTHERS)]


def is_lesion(name: str) -> bool:
    """Whether a label's name says that it is something abnormal, not an organ."""
    term = term_of(name)
    return term is not None and term.category == _ALTERED
