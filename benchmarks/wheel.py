"""What pip brings to watch a broker: packages and size of our wheel in an empty environment, beside Flower's."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.apparatus.report import Figure, at_most, run
from tests.harness.wheels import build_wheel, make_environment, requirements_of

MAX_PACKAGES = 25
MAX_MEGABYTES = 60.0
FLOWER = ("flower~=2.2", "celery[redis]~=5.7.0")


def measure() -> Sequence[Figure]:
    """Install both and look."""
    python = Path(sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        ours = make_environment(python, "wheel-size", requirements_of(wheel), own=(str(wheel),))
        flower = make_environment(python, "flower", FLOWER)
    packages = (len(ours.names()), len(flower.names()))
    size = (ours.megabytes(), flower.megabytes())
    return [
        at_most(
            "packages to watch a broker",
            [packages[0]],
            MAX_PACKAGES,
            peer=f"Flower 2.2: {packages[1]}",
            unit="packages",
        ),
        at_most("size of them", [round(size[0], 1)], MAX_MEGABYTES, peer=f"Flower 2.2: {size[1]:.1f}", unit="MB"),
    ]


if __name__ == "__main__":
    run(measure)
