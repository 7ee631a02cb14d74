"""The report says everything, loads nothing, and lets no markup through."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

from mtann.detection.candidate import InputReference, ModelReference
from mtann.report.documents import RESEARCH_USE_NOTICE
from mtann.report.html import html_text, software_versions
from mtann.version import VERSION
from unit.report.results import make_result

_, RESULT = make_result()
PICTURE = b"\x89PNG picture"


class Page(HTMLParser):
    """Collects tags with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and data.strip():
            self.words.append(" ".join(data.split()))

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_says_what_given_candidates_were() -> None:
    given = [replace(one, given_id=20 + one.id, given_score=0.1 * one.id) for one in RESULT.candidates]
    given[1] = replace(given[1], given_score=None)
    words = Page(html_text(replace(RESULT, candidates=tuple(given)), PICTURE)).words
    start = words.index("S/I") + 1
    assert words[start : start + 5] == ["1", "0.910", "21", "0.100", "lesion"]
    assert words[start + 11 : start + 16] == ["2", "0.780", "22", "–", "lesion"]
    assert words.count("Given as") == 2  # Reported, and below the threshold.


def test_says_what_was_found() -> None:
    page = Page(html_text(RESULT, PICTURE, "Brain metastases, adults"))
    words = page.words
    assert words[1] == RESEARCH_USE_NOTICE
    assert words[2] == "5 candidates reported"
    assert words[3] == (
        "Threshold 0.5 on the score: operating point 'balanced': sensitivity 0.90 at 2.0 false positives a case, on "
        "120 held-out cases. 1 further candidate below the threshold."
    )
    row = words[words.index("S/I") + 1 :][:9]
    assert row == ["1", "0.910", "lesion", "14.0 × 12.6 mm", "14.7 mm", "1437 mm³", "R 34.2", "A 12.0", "S 45.1"]
    for said in ("brain-metastases 1.2.0", "ab" * 32, "Brain metastases, adults", "t1c", "scan.nii.gz", "cd" * 32):
        assert said in words
    assert "80 × 96 × 60 voxels of 2 × 2 × 2.5 mm (x, y, z)." in " ".join(words)
    assert any(f"mtann {VERSION}" in text and "SimpleITK" in text for text in words)
    assert page.open == []


def test_candidates_below_the_threshold_are_folded_away_unless_there_are_no_others() -> None:
    text = html_text(RESULT, PICTURE)
    (details,) = Page(text).every("details")
    assert "open" not in details
    reported, below = text.split("<details", 1)
    assert reported.count("0.520") == 1
    assert "0.310" not in reported
    assert "1 candidate below the threshold, kept for a second look" in below
    assert below.count("0.310") == 1
    _, weak = make_result(threshold=0.95)
    (details,) = Page(html_text(weak, PICTURE)).every("details")
    assert "open" in details
    _, strong = make_result(threshold=0.1)
    assert Page(html_text(strong, PICTURE)).every("details") == []


def test_warnings_come_before_the_picture() -> None:
    text = html_text(replace(RESULT, warnings=("No mask was given.",)), PICTURE)
    assert text.index("No mask was given.") < text.index("<img")
    assert "warning" not in " ".join(Page(html_text(RESULT, PICTURE)).words)


def test_is_self_contained_and_accessible() -> None:
    text = html_text(RESULT, PICTURE)
    page = Page(text)
    assert page.every("html") == [{"lang": "en"}]
    (picture,) = page.every("img")
    encoded = str(picture["src"]).removeprefix("data:image/png;base64,")
    assert base64.b64decode(encoded) == PICTURE
    assert str(picture["alt"]).startswith(
        "Axial, coronal and sagittal planes through the best candidates: candidate 1,"
    )
    assert not {"script", "link", "iframe", "a"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|url\(|@import", text)
    assert {attributes.get("scope") for attributes in page.every("th")} == {"row", "col"}


def test_lets_no_markup_through() -> None:
    evil = "<script>alert(1)</script>\"'&"
    result = replace(
        RESULT,
        warnings=(evil,),
        threshold_origin=evil,
        model=ModelReference(evil, evil, evil),
        inputs=(InputReference(evil, evil, evil),),
        candidates=tuple(replace(candidate, class_name=evil) for candidate in RESULT.candidates),
    )
    page = Page(html_text(result, PICTURE, evil))
    assert page.every("script") == []
    assert page.words.count(evil) >= 8


def test_without_candidates() -> None:
    text = html_text(replace(RESULT, candidates=()), PICTURE)
    assert "No candidate reported" in text
    assert "None was found" in text
    assert "No candidate reaches the threshold." in str(Page(text).every("img")[0]["alt"])


def test_probability_is_shown_once_calibrated() -> None:
    assert "Probability" not in Page(html_text(RESULT, PICTURE)).words
    calibrated = tuple(replace(candidate, probability=0.873) for candidate in RESULT.candidates)
    words = Page(html_text(replace(RESULT, candidates=calibrated), PICTURE)).words
    assert "Probability" in words
    assert words.count("87 %") == 6


def test_software_versions_need_no_import() -> None:
    versions = software_versions()
    assert versions["mtann"] == VERSION
    assert {"Python", "numpy", "SimpleITK"} <= set(versions)
