"""Make the files of the release ``SampleData-1``, and print their checksums as SampleImages.py must have them.

``python Testing/devtools/sample_data.py FOLDER``, in the development environment.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from mtann.phantoms.head import head_phantom
from mtann.volume_io import write_volume

SEED = 0
HEAD, LESIONS = "mtann-phantom-head.nii.gz", "mtann-phantom-head-lesions.nii.gz"


def make_files(folder: Path) -> dict[str, str]:
    """Write both files; returns their checksums as Slicer writes them."""
    phantom = head_phantom(SEED)
    image = phantom.volume.with_array(np.round(phantom.volume.array).astype(np.int16))
    write_volume(image, folder / HEAD)
    write_volume(phantom.labels, folder / LESIONS)
    return {name: f"SHA256:{hashlib.sha256((folder / name).read_bytes()).hexdigest()}" for name in (HEAD, LESIONS)}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for file, checksum in make_files(target).items():
        print(f'"{file}": "{checksum}",')
