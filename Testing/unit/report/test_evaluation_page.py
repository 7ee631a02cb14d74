"""The page of an evaluation: nothing from elsewhere, not too large, and honest about pictures that are missing."""

import re

import numpy as np
import pytest

from mtann.errors import ImageError
from mtann.evaluation.assess import assess
from mtann.evaluation.bootstrap import Measured
from mtann.evaluation.rules import CentreRule
from mtann.report import evaluation_page as pages
from mtann.report.evaluation_page import evaluation_page, figure_words, interval_words
from mtann.report.html import template
from mtann.volume import Volume
from unit.studies import GRID, case, found, points

PLACES = [(float(x), float(y), 5.0) for x in (2, 9, 16) for y in (5, 14)]


def study(cases, image):
    """Cases with six lesions each, all missed, and a false alarm."""
    own = [case(f"c{n}", points(*PLACES), found((2, 18, 1, 0.9)), image=image) for n in range(cases)]
    return assess(own, CentreRule(), draws=0)


def noise():
    return Volume(np.random.default_rng(0).normal(size=GRID.shape_zyx).astype(np.float32), GRID, "noise")


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs():
    page = evaluation_page(study(1, noise))
    assert "default-src 'none'" in page
    assert not re.findall(r"<(?:script|link|iframe|object|a)\b", page)
    sources = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]{0,12})""", page)
    assert sources
    assert all(source.startswith("data:image") for source in sources)


def test_fifty_cases_stay_below_ten_megabytes_however_large_their_pictures(monkeypatch):
    monkeypatch.setattr(pages, "snapshot_jpeg", lambda *_, **__: b"\xff" * 250_000)
    page = evaluation_page(study(50, noise))
    pictured = page.count("data:image/jpeg")
    assert len(page.encode()) < 10_000_000
    # Six million bytes of pictures of 250 000, with room left for those that turn out larger than the first.
    assert 15 <= pictured <= 24
    assert f"{pictured} of 350 misses and false alarms are pictured" in page
    # Misses and false alarms by turns: neither kind crowds out the other.
    missed, alarms = page.split('id="alarms"')
    assert abs(missed.count("data:image/jpeg") - alarms.count("data:image/jpeg")) <= 1


def test_images_that_cannot_be_read_are_told():
    def damaged():
        raise ImageError("The file is damaged.")

    page = evaluation_page(study(2, damaged))
    assert "The images of 2 cases cannot be read" in page
    assert "names no images" not in page
    assert "cannot be read" not in evaluation_page(study(2, noise))


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.1234, "0.123"), (-0.1234, "−0.123"), (-0.0002, "0.000"), (12.34, "12.3"), (-374.0, "−374.0"), (None, "–")],
)
def test_numbers_in_words(value, words):
    assert figure_words(Measured(value)) == words


def test_intervals_in_words():
    assert interval_words(Measured(0.5, 0.25, 0.75)) == "0.250 to 0.750"
    assert interval_words(Measured(0.5)) == "–"


@pytest.mark.parametrize("name", ["evaluation.html", "comparison.html", "training.html", "report.html"])
def test_every_page_has_the_rules_for_paper(name):
    environment = template(name).environment
    source = environment.loader.get_source(environment, name)[0]
    assert '{% include "style.html" %}' in source
