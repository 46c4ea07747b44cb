"""The program ``recorder``: ``python -m workers.history.recorder``."""

import sys

from config.errors import ConfigError
from workers.history.errors import HistoryError
from workers.history.recorder.recorder import main

try:
    main()
except (ConfigError, HistoryError, OSError) as problem:
    sys.exit(f"recorder: {problem}")
