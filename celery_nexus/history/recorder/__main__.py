"""The program ``recorder``: ``python -m celery_nexus.history.recorder``."""

import sys

from celery_nexus.connection.errors import ConfigError
from celery_nexus.history.errors import HistoryError
from celery_nexus.history.recorder.recorder import main

try:
    main()
except (ConfigError, HistoryError, OSError) as problem:
    sys.exit(f"recorder: {problem}")
