"""How long ``import mtann`` and ``mtann --help`` take, each in a process of its own.

python Testing/dev.py bench startup
"""

import platform
import subprocess
import sys
import time

import numpy as np

REPEATS = 7


def median_seconds(*arguments: str) -> float:
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def main() -> int:
    bare = median_seconds("-c", "pass")
    print(f"Python {platform.python_version()}, {platform.machine()}; Python alone {bare:.3f} s")
    print(f"import mtann: {median_seconds('-c', 'import mtann') - bare:.3f} s more")
    print(f"mtann --help: {median_seconds('-m', 'mtann', '--help') - bare:.3f} s more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
