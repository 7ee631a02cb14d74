"""``mtann evaluate`` and ``mtann compare``, from files to reports."""

import csv
import json
import re

import pytest

from mtann.cli import main
from mtann.volume import Volume
from mtann.volume_io import write_volume
from unit.studies import GRID, mask_of

BOX, OTHER = ((2, 5), (2, 5), (2, 5)), ((2, 5), (10, 13), (10, 13))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Four patients with two lesions each; A finds the first of all and a false one, B both of two."""
    import numpy as np

    folder = tmp_path_factory.mktemp("study")
    rows, first, second = ["case,patient,t1,lesions,scanner"], {}, {}
    random = np.random.default_rng(0)
    for number in range(4):
        name = f"Miller{number}"
        image = random.normal(size=GRID.shape_zyx).astype(np.float32)
        write_volume(Volume(image, GRID), folder / f"{name}.nii.gz")
        write_volume(mask_of([BOX, OTHER]), folder / f"{name}-lesions.nii.gz")
        rows.append(f"{name},p{number},{name}.nii.gz,{name}-lesions.nii.gz,{'AB'[number % 2]}")
        hit = {"centre_lps_mm": [3, 3, 3], "score": 0.9 - 0.1 * number, "probability": 0.8}
        first[name] = [hit, {"centre_lps_mm": [17, 3, 10], "score": 0.55, "probability": 0.3}]
        second[name] = [hit, {"centre_lps_mm": [11, 11, 3], "score": 0.8}] if number < 2 else []
    (folder / "cases.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for name, cases in (("a", first), ("b", second)):
        (folder / f"{name}.json").write_text(json.dumps({"cases": cases}), encoding="utf-8")
    return folder


def evaluate(study, output, *more):
    given = ["--predictions", str(study / "a.json"), "--references", str(study / "cases.csv"), "--output", str(output)]
    return main(["evaluate", *given, "--draws", "200", *more])


def test_evaluate_writes_a_report_that_names_nobody(study, tmp_path, capsys):
    output = tmp_path / "report"
    assert evaluate(study, output, "--second-reader", str(study / "cases.csv")) == 0
    told = capsys.readouterr()
    assert "Sensitivity" in told.out
    document = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert (document["cases"], document["patients"], document["lesions"]) == (4, 4, 8)
    assert document["lesion"]["sensitivity"]["value"] == 0.5
    assert document["lesion"]["fp_per_case"]["value"] == 1.0
    assert document["readers"]["agreement_lesions"]["value"] == 1.0
    assert [group["value"] for group in document["subgroups"]["scanner"]] == ["A", "B"]
    # Probabilities 0.8 on lesions four times, 0.3 on false alarms four times: gaps 0.2 and 0.3.
    assert document["calibration"]["expected_calibration_error"]["value"] == pytest.approx(0.25)
    with (output / "cases.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["lesions_found"], row["false_alarms"]) for row in rows] == [
        (str(n), "1", "1") for n in range(1, 5)
    ]
    with (output / "lesions.csv").open(encoding="utf-8") as file:
        kinds = [(row["kind"], row["reported"]) for row in csv.DictReader(file)]
    assert kinds.count(("lesion", "false")) == 4
    assert kinds.count(("false_alarm", "true")) == 4
    page = (output / "report.html").read_text(encoding="utf-8")
    # Each of four misses and four false alarms has its picture.
    assert page.count("data:image/jpeg;base64,") == 8
    assert "http" not in page.replace("http-equiv", "")
    for path in output.iterdir():
        assert "Miller" not in path.read_text(encoding="utf-8")


def test_other_rules_levels_and_thresholds(study, tmp_path):
    output = tmp_path / "report"
    assert evaluate(study, output, "--hit", "luna16", "--threshold", "0.75", "--levels", "lesion", "--json") == 0
    document = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    # From 0.75 on: 0.9 and 0.8.
    assert document["lesion"]["sensitivity"]["value"] == 0.25
    assert document["case"] == document["voxel"] == {}
    assert document["hit_criterion"]["kind"] == "luna16"
    # A former evaluation is replaced; a rule that needs outlines is refused, and the former one stays.
    before = (output / "evaluation.json").read_bytes()
    assert evaluate(study, output, "--hit", "iou:0.5") == 2
    assert (output / "evaluation.json").read_bytes() == before


def test_compare_says_what_one_model_alone_found(study, tmp_path, capsys):
    output = tmp_path / "comparison"
    arguments = ["compare", str(study / "a.json"), str(study / "b.json"), "--references", str(study / "cases.csv")]
    assert main([*arguments, "--output", str(output), "--draws", "200"]) == 0
    document = json.loads((output / "comparison.json").read_text(encoding="utf-8"))
    sensitivity = document["differences"]["lesion.sensitivity"]
    assert (sensitivity["a"]["value"], sensitivity["b"]["value"], sensitivity["a_less_b"]["value"]) == (0.5, 0.5, 0.0)
    # A alone finds the first lesions of cases 3 and 4, B alone the second ones of cases 1 and 2.
    assert document["mcnemar_lesions"] == {"a_only": 2, "b_only": 2, "p": 1.0}
    assert document["mcnemar_cases"] == {"a_only": 2, "b_only": 0, "p": 0.5}
    page = (output / "report.html").read_text(encoding="utf-8")
    assert page_row(page, "Lesions found") == ["2", "2", "1.000"]
    assert page_row(page, "Cases called rightly") == ["2", "0", "0.500"]
    rows = {row["figure"]: row for row in csv.DictReader((output / "differences.csv").open(encoding="utf-8"))}
    found, right = rows["lesion.found_by_one_alone"], rows["case.right_by_one_alone"]
    assert [found[name] for name in ("a", "b", "a_less_b", "mcnemar_p")] == ["2", "2", "0", "1.0"]
    assert [right[name] for name in ("a", "b", "a_less_b", "mcnemar_p")] == ["2", "0", "2", "0.5"]
    assert rows["lesion.sensitivity"]["mcnemar_p"] == ""
    said = capsys.readouterr()
    assert "Lesions found by A alone: 2, by B alone: 2; McNemar's exact p 1.000" in said.out
    assert "Cases called rightly by A alone: 2, by B alone: 0; McNemar's exact p 0.500" in said.out
    assert said.out.splitlines()[0].split() == ["A", "B", "A", "−", "B", "(95", "%", "interval)"]
    assert "JAFROC" in said.err


def page_row(page, name):
    """The numbers in a table's row of a page."""
    (row,) = re.findall(rf"<tr><th scope=\"row\">{name}</th>(.*?)</tr>", page)
    return re.findall(r"<td[^>]*>([^<]*)</td>", row)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--threshold", "nan", "finite number"), ("--draws", "-1", "negative"), ("--seed", "-1", "negative")],
)
def test_numbers_that_make_no_sense_are_refused_in_one_line(study, tmp_path, capsys, option, value, said):
    assert evaluate(study, tmp_path / "out", option, value) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
