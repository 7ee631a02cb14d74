"""Pages in a browser: nothing is cut on paper or on a narrow screen, and what is folded away is printed.

Only where a Chromium is installed are these tests there at all; what can be told without one is in
``test_evaluation_page.py``.
"""

import html
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from mtann.evaluation.assess import assess
from mtann.evaluation.paired import compare
from mtann.evaluation.rules import CentreRule
from mtann.report.comparison import comparison_page
from mtann.report.evaluation_page import evaluation_page
from mtann.report.html import html_text
from unit.report.results import make_result
from unit.studies import boxed, case, found, points

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((place for name in NAMES if (place := shutil.which(name))), None)
PAPER_PX = 695
"""What A4 leaves between its margins, at 96 pixels an inch."""
BOX, OTHER = ((2, 5), (2, 5), (2, 5)), ((2, 5), (10, 13), (10, 13))
CONTENT_POLICY = re.compile(r"<meta http-equiv=[^>]*>")
MEASURE = """<!DOCTYPE html><title>-</title>
<iframe style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>
<script>
onload = () => {{
  const inside = document.querySelector("iframe").contentDocument;
  const parts = [...inside.querySelectorAll(".scroll, figure, table")];
  const cut = parts.filter(one => one.scrollWidth > one.clientWidth + 1);
  const root = inside.documentElement;
  document.title = root.scrollWidth - root.clientWidth + " " + cut.length;
}};
</script>"""


def wide_study():
    """Twelve cases in four groups, found and missed lesions, maps: every table of the page."""
    random = np.random.default_rng(1)
    cases = []
    for n in range(12):
        own = boxed(f"c{n}", [BOX], [BOX, OTHER] if n % 2 else [BOX])
        scored = tuple(replace(one, score=float(random.uniform(0.5, 1)), probability=0.7) for one in own.found)
        groups = {"scanner": ("Magnetom Avanto fit", "Magnetom Prisma", "Signa Premier", "Ingenia Elition X")[n % 4]}
        cases.append(replace(own, found=scored, subgroups=groups))
    return cases


def page_of(name):
    study = wide_study()
    if name == "evaluation":
        return evaluation_page(assess(study, CentreRule(), draws=200))
    return comparison_page(compare(study, [replace(one, found=()) for one in study], CentreRule(), draws=200))


def browse(folder, *arguments):
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'browser'}"]
    return subprocess.run([*command, *arguments], capture_output=True, check=True, text=True, timeout=120).stdout


def cut_off(folder, page, width):
    """By how many pixels a page is wider than a window of a width, and how many tables or figures are cut there."""
    written = folder / "measure.html"
    inner = html.escape(CONTENT_POLICY.sub("", page, count=1))
    written.write_text(MEASURE.format(width=width, page=inner), encoding="utf-8")
    dump = browse(folder, "--window-size=1600,1000", "--virtual-time-budget=4000", "--dump-dom", written.as_uri())
    beyond, cut = re.search(r"<title>([^<]*)</title>", dump).group(1).split()
    return int(beyond), int(cut)


def printed_pages(folder, page):
    """How many sheets of paper a page takes."""
    source, target = folder / "page.html", folder / "page.pdf"
    source.write_text(page, encoding="utf-8")
    browse(folder, f"--print-to-pdf={target}", "--no-pdf-header-footer", source.as_uri())
    return len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))


if BROWSER:

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["evaluation", "comparison"])
    def test_nothing_is_cut_on_paper_and_only_tables_scroll_on_a_narrow_screen(name, tmp_path):
        page = page_of(name)
        # The rules for paper are made to hold on a screen as wide as the paper.
        assert "@media print" in page
        assert cut_off(tmp_path, page.replace("@media print", "@media all"), PAPER_PX) == (0, 0)
        assert cut_off(tmp_path, page, 390)[0] == 0

    @pytest.mark.slow
    def test_without_the_rules_for_paper_a_wide_table_would_be_cut(tmp_path):
        # Else the test above could not fail.
        assert cut_off(tmp_path, page_of("evaluation"), PAPER_PX)[1] > 0

    @pytest.mark.slow
    def test_candidates_folded_away_on_the_screen_are_printed(tmp_path):
        _, result = make_result()
        below = [replace(one, reported=False) for one in result.candidates[1:]] * 40
        many = replace(result, candidates=(result.candidates[0], *below))
        few = replace(result, candidates=(result.candidates[0], *below[:4]))
        assert "<details>" in html_text(many, b"")
        assert printed_pages(tmp_path, html_text(many, b"")) >= printed_pages(tmp_path, html_text(few, b"")) + 2

    @pytest.mark.slow
    def test_misses_and_alarms_are_two_in_a_row_on_paper(tmp_path, monkeypatch):
        from mtann.report import evaluation_page as module

        png = bytes.fromhex(
            "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
            "a5f645400000000049454e44ae426082"
        )
        monkeypatch.setattr(module, "snapshot_jpeg", lambda *_, **__: png)
        places = [(float(x), 0.0, 0.0) for x in range(0, 400, 10)]
        cases = [case("a", points(*places), found((500, 0, 0, 0.9)), image=lambda: None)]
        page = evaluation_page(assess(cases, CentreRule(), draws=0))
        one_a_row = page.replace("grid-template-columns: 1fr 1fr", "grid-template-columns: 1fr")
        assert printed_pages(tmp_path, page) < printed_pages(tmp_path, one_a_row)
