"""A stranger's beat, of the application that a line of JSON on its command line tells of."""

from __future__ import annotations

import json
import os
import sys

from celery_nexus.parent import end_with_parent
from tests.integration.foreign import shop


def main() -> None:
    """Be a beat, as ``celery beat`` is."""
    told = json.loads(sys.argv[1])
    end_with_parent(os.getppid())
    shop.make(told["broker"], told["conf"]).start(["beat", "--pidfile=", "-l", "INFO", *told["options"]])


if __name__ == "__main__":
    main()
