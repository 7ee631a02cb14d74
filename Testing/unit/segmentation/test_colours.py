"""Which names are known, and what is done with the others."""

import pytest

from mtann.segmentation.colours import label_colour, term_of


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("whole tumor", "Mass"),
        ("whole_tumour", "Mass"),
        ("Tumor core", "Mass"),
        ("enhancing tumor", "Mass"),
        ("ET", "Mass"),
        ("oedema", "Edema"),
        ("peritumoral_edema", "Edema"),
        ("non-enhancing tumor core", "Necrosis"),
        ("lesion", "Lesion"),
        ("left kidney", "Kidney"),
        ("liver", "Liver"),
        ("gallbladder", "Gallbladder"),
        ("urinary_bladder", "Bladder"),
        ("widget", None),
        ("diet", None),
    ],
)
def test_names_are_known_by_their_words(name, meaning):
    term = term_of(name)
    assert (term.code[1] if term else None) == meaning


def test_parts_of_a_tumour_are_told_apart_by_colour():
    colours = {label_colour(name, 0) for name in ("whole tumor", "tumor core", "enhancing tumor", "edema", "necrosis")}
    assert len(colours) == 5


def test_unknown_names_get_the_next_distinct_colour():
    assert len({label_colour("widget", number) for number in range(7)}) == 7
    assert label_colour("widget", 7) == label_colour("widget", 0)
