"""A worker of a stranger's application, as it is told in JSON: where its broker is, its settings, its command."""

from __future__ import annotations

import json
import sys

from tests.integration.foreign import shop

if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    shop.make(told["broker"], told["conf"]).worker_main(told["arguments"])
