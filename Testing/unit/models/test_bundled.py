"""What every bundled model must say about itself; and that none is a burden to install."""

import pytest

from mtann.models.bundle import CARD_FILE, WEIGHTS_FILE, load_bundle
from mtann.models.catalogue import BUNDLED, list_models

NAMES = sorted(folder.name for folder in BUNDLED.iterdir())
MOST_BYTES = 8_000_000


def test_the_models_that_the_documentation_names_are_there() -> None:
    assert NAMES == ["enhancing-lesion-t1c", "head-phantom-t1c", "lung-nodule-ct"]
    assert [entry.name for entry in list_models() if entry.bundled] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_says_what_it_is_for_and_weighs_little(name: str) -> None:
    card = load_bundle(BUNDLED / name).card
    assert card.name == name
    assert card.licence != "not stated"
    assert card.description
    assert any(words in card.intended_use for words in ("Not a medical device", "Not for images of patients"))
    assert {"balanced", "high_sensitivity"} <= {point.name for point in card.operating_points}
    assert all("out-of-fold" in point.chosen_on for point in card.operating_points)
    assert {path.name for path in (BUNDLED / name).iterdir()} == {CARD_FILE, WEIGHTS_FILE}
    assert (BUNDLED / name / WEIGHTS_FILE).stat().st_size < MOST_BYTES


@pytest.mark.parametrize(
    ("name", "channel", "mask", "words"),
    [
        ("enhancing-lesion-t1c", "t1c", "brain", ("Lesjak", "CC-BY", "not on real metastases")),
        ("lung-nodule-ct", "ct", "lung", ("Armato", "CC BY 3.0", "Not tested on whole chests")),
    ],
)
def test_models_made_from_real_scans_cite_them_and_say_what_they_were_not_tested_on(
    name: str, channel: str, mask: str, words: tuple[str, ...]
) -> None:
    card = load_bundle(BUNDLED / name).card
    assert [one.name for one in card.inputs.channels] == [channel]
    assert card.inputs.mask == mask
    text = " ".join((card.description + " " + card.intended_use).split())
    assert all(word in text for word in words)
