"""Copies of texts for pasting: the terminal's clipboard, tmux' buffer, and a file."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from nexus_tui.preferences.user_files import cache_path, replace_file

MOST_BYTES = 74_000
"""Longest text that terminals take by OSC 52 (xterm's limit is 100,000 characters of base64)."""

TMUX_WITHIN_S = 2.0


def keep_copy(text: str) -> Path | None:
    """Write a text to the file of what was copied last, which only its owner reads; None when it can't be written."""
    path = cache_path("copied")
    try:
        replace_file(path, text)
    except OSError:
        return None
    return path


def hand_to_tmux(text: str) -> None:
    """Give a text to tmux, when it runs in one: by default that ignores what a program asks of the terminal."""
    if os.environ.get("TMUX"):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                ["tmux", "load-buffer", "-w", "-"],
                input=text.encode("utf-8", "replace"),
                timeout=TMUX_WITHIN_S,
                capture_output=True,
                check=False,
            )
