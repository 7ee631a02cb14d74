"""A case list is read row by row, and whatever is wrong with it is named with the case and the column."""

from pathlib import Path

import numpy as np
import pytest

from mtann.cases import CaseFiles, TrainingCase, load_training_case, read_case_list
from mtann.errors import CasesError, ImageError
from mtann.geometry import Geometry
from mtann.sampling.lesions import Lesion
from mtann.volume import Volume
from mtann.volume_io import write_volume
from unit.dicom_series import write_series

GEOMETRY = Geometry((4, 5, 6), (1.0, 1.0, 2.0), (-3.0, -2.0, 0.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with four files that a list may name; only their being there matters to the list."""
    (tmp_path / "images").mkdir()
    for name in ("a_t1", "a_flair", "b_t1", "lesions"):
        (tmp_path / "images" / f"{name}.nii").touch()
    return tmp_path


def listed(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "cases.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_list_is_read_row_by_row(folder: Path) -> None:
    text = (
        "case,patient,t1,flair,mask,lesions,scanner,age\n"
        "a,p1,images/a_t1.nii,images/a_flair.nii,,images/lesions.nii,big,61\n"
        "b,p2, images/b_t1.nii ,images/a_flair.nii,images/lesions.nii,,small,\n"
    )
    images = folder / "images"
    assert read_case_list(listed(folder, text), ("t1", "flair")) == (
        CaseFiles(
            "a",
            "p1",
            {"t1": images / "a_t1.nii", "flair": images / "a_flair.nii"},
            None,
            images / "lesions.nii",
            {"scanner": "big", "age": "61"},
        ),
        CaseFiles(
            "b",
            "p2",
            {"t1": images / "b_t1.nii", "flair": images / "a_flair.nii"},
            images / "lesions.nii",
            None,
            {"scanner": "small", "age": ""},
        ),
    )


def test_channels_come_in_the_order_asked_for(folder: Path) -> None:
    path = listed(folder, "case,patient,t1,flair\na,p1,images/a_t1.nii,images/a_flair.nii\n")
    assert list(read_case_list(path, ("flair", "t1"))[0].channels) == ["flair", "t1"]


def test_without_names_the_columns_with_existing_files_are_channels(folder: Path) -> None:
    path = listed(folder, "case,patient,site,t1,lesions\na,p1,north,images/a_t1.nii,images/lesions.nii\n")
    (case,) = read_case_list(path)
    assert list(case.channels) == ["t1"]
    assert case.subgroups == {"site": "north"}


def test_a_long_remark_is_a_subgroup_and_no_channel(folder: Path) -> None:
    remark = "seen again after a year " * 40
    (case,) = read_case_list(listed(folder, f"case,patient,t1,remark\na,p1,images/a_t1.nii,{remark}\n"))
    assert case.subgroups == {"remark": remark.strip()}


def test_a_channel_that_is_missing_in_one_row_is_still_one(folder: Path) -> None:
    path = listed(folder, "case,patient,t1\na,p1,images/a_t1.nii\nb,p2,\n")
    with pytest.raises(CasesError, match="Case 'b' .* has no file in column 't1'"):
        read_case_list(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_spreadsheets_save_lists_with_a_byte_order_mark_and_other_line_ends(
    folder: Path, encoding: str, newline: str
) -> None:
    text = newline.join(["case,patient,t1,Größe", "a,p1,images/a_t1.nii,groß", ""])
    (case,) = read_case_list(listed(folder, text, encoding), ("t1",))
    assert (case.case, case.subgroups) == ("a", {"Größe": "groß"})


def test_quoted_values_may_hold_commas(folder: Path) -> None:
    (folder / "images" / "a,b.nii").touch()
    (case,) = read_case_list(listed(folder, 'case,patient,t1\na,"p, 1","images/a,b.nii"\n'))
    assert (case.patient, case.channels["t1"].name) == ("p, 1", "a,b.nii")


@pytest.mark.parametrize(
    ("header", "channels", "lacking"),
    [
        ("patient,t1", (), "case"),
        ("case,t1", (), "patient"),
        ("case,patient,t1", ("t1", "flair"), "flair"),
        ("case;patient;t1", ("t1",), "case, patient, t1"),
        ("case,patient,t1", ("t1",), "lesions"),
        ("case,patient,t1,lesions", ("t1",), "candidates"),
    ],
)
def test_a_missing_column_is_named(folder: Path, header: str, channels: tuple[str, ...], lacking: str) -> None:
    path = listed(folder, f"{header}\na,p1,images/a_t1.nii\n")
    with pytest.raises(CasesError, match=rf"lacks the column\(s\) {lacking}; it has"):
        read_case_list(path, channels, [lacking] if lacking in ("lesions", "candidates") else [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no case"),
        ("case,patient,t1\n", "holds no case"),
        ("case,patient,t1,t1\na,p1,images/a_t1.nii,images/a_t1.nii\n", "has a column twice"),
        ("case,patient,age\na,p1,61\n", "no column with images"),
        ("case,patient,t1\na,,images/a_t1.nii\n", "Case 'a' .* names no patient"),
        ("case,patient,t1\n,p1,images/a_t1.nii\n", "the case name ''"),
        ("case,patient,t1\na,p1,images/a_t1.nii\nb,p2,images/c.nii\n", "Case 'b': the file 'images/c.nii'"),
        ("case,patient,t1,mask\na,p1,images/a_t1.nii,m.nii\n", "the file 'm.nii' in column 'mask' does not exist"),
        ("case,patient,t1\na,p1,images/a_t1.nii\na,p2,images/b_t1.nii\n", "lists case 'a' twice"),
        ("case,patient,t1\na,p1,images/a_t1.nii\nA,p2,images/b_t1.nii\n", "lists case 'A' twice"),
        (f"case,patient,t1,remark\na,p1,images/a_t1.nii,{'x' * 200_000}\n", "is damaged .*field larger"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(folder: Path, text: str, reason: str) -> None:
    with pytest.raises(CasesError, match=reason):
        read_case_list(listed(folder, text))


def test_a_path_too_long_for_any_file_does_not_exist(folder: Path) -> None:
    path = listed(folder, f"case,patient,t1\na,p1,images/a_t1.nii\nb,p2,{'x' * 5000}.nii\n")
    with pytest.raises(CasesError, match="Case 'b': the file 'xxx.* does not exist"):
        read_case_list(path)


@pytest.mark.parametrize("name", [".", "..", ".hidden", "a/b", "a\\b", "a:b", "a*", "a?", 'a""b', "a<b", "a>b", "a|b"])
def test_a_case_name_that_is_no_folder_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(CasesError, match="it names the result folder"):
        read_case_list(listed(folder, f'case,patient,t1\n"{name}",p1,images/a_t1.nii\n'))


@pytest.mark.parametrize("name", ["a.previous", "a.Previous", "a.", "a. "])
def test_a_case_name_with_an_ending_of_its_own_meaning_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(CasesError, match="may not end in a dot, a space or '.previous'"):
        read_case_list(listed(folder, f'case,patient,t1\n"{name}",p1,images/a_t1.nii\n'))


@pytest.mark.parametrize("name", ["a", "LIDC-IDRI-0001", "week 12", "v1.2", "Ähre_3"])
def test_plain_case_names_are_kept(folder: Path, name: str) -> None:
    assert read_case_list(listed(folder, f"case,patient,t1\n{name},p1,images/a_t1.nii\n"))[0].case == name


def test_lesions_that_are_needed_must_be_named_in_every_row(folder: Path) -> None:
    path = listed(folder, "case,patient,t1,lesions\na,p1,images/a_t1.nii,\n")
    with pytest.raises(CasesError, match="Case 'a' .* has no file in column 'lesions'"):
        read_case_list(path, needs=["lesions"])
    assert read_case_list(path)[0].lesions is None


def test_a_list_that_cannot_be_read_is_refused(folder: Path) -> None:
    with pytest.raises(CasesError, match="cannot be read"):
        read_case_list(folder / "nothing.csv")
    with pytest.raises(CasesError, match="CSV file in UTF-8"):
        read_case_list(listed(folder, "case,patient,Größe\n", "latin-1"))


@pytest.fixture
def scan(tmp_path: Path) -> CaseFiles:
    """A case on disk: one image, one mask, and a label map with one voxel at index (1, 2, 3)."""
    labels = np.zeros(GEOMETRY.shape_zyx, np.uint8)
    labels[1, 2, 3] = 1
    image = np.arange(labels.size, dtype=np.float32).reshape(labels.shape)
    for name, array in (("t1", image), ("lesions", labels), ("mask", np.ones_like(labels))):
        write_volume(Volume(array, GEOMETRY), tmp_path / f"{name}.nii.gz")
    paths = {name: tmp_path / f"{name}.nii.gz" for name in ("t1", "lesions", "mask")}
    return CaseFiles("a", "p1", {"t1": paths["t1"]}, paths["mask"], paths["lesions"])


def test_everything_that_a_row_names_is_loaded(scan: CaseFiles) -> None:
    case = load_training_case(scan)
    assert (case.case, case.patient) == ("a", "p1")
    assert [volume.name for volume in case.channels] == ["t1.nii.gz"]
    assert case.channels[0].array[3, 4, 5] == 119
    assert [lesion.centre_lps_mm for lesion in case.lesions] == [pytest.approx((0.0, 0.0, 2.0))]
    assert case.mask is not None and case.mask.array.all()


def test_the_chosen_dicom_series_of_a_folder_is_loaded(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(1, 9, GEOMETRY.shape_zyx).astype(np.int16)
    labels = (stored == 3).astype(np.int16)
    for name in ("t1", "lesions", "mask"):
        for number in (1, 2):
            values = number * (stored if name == "t1" else labels)
            write_series(tmp_path / name, values, GEOMETRY, number=number)
    case = load_training_case(
        CaseFiles("a", "p1", {"t1": tmp_path / "t1"}, tmp_path / "mask", tmp_path / "lesions"), series="2"
    )
    assert np.array_equal(case.channels[0].array, 2 * stored)
    assert case.lesions
    assert case.mask is not None and np.array_equal(case.mask.array, 2 * labels)


def test_an_image_that_cannot_be_scanned_is_no_case(scan: CaseFiles, tmp_path: Path) -> None:
    write_volume(Volume(np.zeros(GEOMETRY.shape_zyx, np.int16), GEOMETRY), tmp_path / "t1.nii.gz")
    with pytest.raises(ImageError, match="in every voxel"):
        load_training_case(scan)


@pytest.mark.parametrize(
    ("centre", "inside"),
    [
        ((-3.5, -2.5, -1.0), True),  # the block's outer corner
        ((-3.51, -2.0, 0.0), False),
        ((2.5, 2.5, 7.0), True),
        ((2.0, 2.0, 7.01), False),
        ((3.0, 2.0, 0.0), False),  # the mirror image of a point inside, as with RAS for LPS
    ],
)
def test_a_lesion_outside_the_image_is_refused(centre: tuple[float, float, float], inside: bool) -> None:
    image = Volume(np.zeros(GEOMETRY.shape_zyx), GEOMETRY)
    if inside:
        assert TrainingCase("a", "p1", (image,), (Lesion(centre),)).lesions[0].centre_lps_mm == centre
    else:
        with pytest.raises(CasesError, match=r"Lesion 2 of case 'a' lies at LPS \(.*\) mm, outside the image"):
            TrainingCase("a", "p1", (image,), (Lesion((0.0, 0.0, 0.0)), Lesion(centre)))


def test_a_case_without_an_image_is_refused() -> None:
    with pytest.raises(CasesError, match="Case 'a' has no image"):
        TrainingCase("a", "p1", (), ())
