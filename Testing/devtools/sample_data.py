"""Make the files of the release ``SampleData-1``, and print their checksums as SampleImages.py must have them.

``python Testing/devtools/sample_data.py FOLDER``, in the development environment. FOLDER/sample_head.json then tells a
test what the head is like, for another processor's arithmetic differs in the last digit, and so does the checksum.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtann.phantoms.head import head_phantom
from mtann.volume_io import write_volume

SEED = 0
HEAD, LESIONS = "mtann-phantom-head.nii.gz", "mtann-phantom-head-lesions.nii.gz"
SUMS = "sample_head.json"


def make_files(folder: Path) -> dict[str, str]:
    """Write both files; returns their checksums as Slicer writes them."""
    phantom = head_phantom(SEED)
    image = phantom.volume.with_array(np.round(phantom.volume.array).astype(np.int16))
    write_volume(image, folder / HEAD)
    write_volume(phantom.labels, folder / LESIONS)
    checksums = {name: f"SHA256:{hashlib.sha256((folder / name).read_bytes()).hexdigest()}" for name in (HEAD, LESIONS)}
    (folder / SUMS).write_text(json.dumps({"checksum": checksums[HEAD], "slices": slice_sums(image.array)}), "utf-8")
    return checksums


def slice_sums(image: npt.NDArray[np.int16]) -> list[list[int]]:
    """The sum of every slice of an image (z, y, x), across z, y and x."""
    return [image.astype(np.int64).sum(axis=other).tolist() for other in ((1, 2), (0, 2), (0, 1))]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for file, checksum in make_files(target).items():
        print(f'"{file}": "{checksum}",')
