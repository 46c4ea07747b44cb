"""Command: a program of the operator's, which reads the JSON document from its standard input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from celery_nexus.alerts.channels.message import AlertMessage
from celery_nexus.alerts.channels.spec import ChannelFailed

_WORDS = 200


def send(table: Mapping[str, Any], message: AlertMessage, timeout_s: float) -> None:
    """Run the program, without a shell; it is killed with its children when it takes too long.

    Raises:
        ChannelFailed: It can't be started, takes too long, or ends with another code than 0.
    """
    words = [str(word) for word in table["command"]]
    try:
        program = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ChannelFailed(f"{words[0]} can't be started: {getattr(error, 'strerror', None) or error}") from None
    try:
        _, said = program.communicate(json.dumps(message.document).encode() + b"\n", timeout_s)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        raise ChannelFailed(f"{words[0]} took longer than {timeout_s:g} s, and was killed") from None
    finally:
        if program.stderr is not None:
            program.stderr.close()
    if program.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise ChannelFailed(
            f"{words[0]} ended with {program.returncode}: {last[0][:_WORDS] if last else 'says nothing'}"
        )
