"""``nexus-tui``, also as ``python -m nexus_tui``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code; a health check before anything heavy is imported."""
    from nexus_tui import probe

    words = probe.find_words(sys.argv[1:])
    if words is not None:
        sys.exit(probe.run(words))
    from nexus_tui import cli

    cli.main()


if __name__ == "__main__":
    main()
