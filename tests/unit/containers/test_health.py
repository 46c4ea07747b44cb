"""What the health checks conclude from a program's signs of life."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from celery_nexus.connection.keys import GUARDIAN_BEAT, WORKER_HASH
from config import health

NOW_S = 1_000


@dataclass
class Broker:
    """Answers as Redis does, from what is told."""

    hashes: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    lives_ms: dict[str, int] = field(default_factory=dict[str, int])

    def hget(self, key: str, name: str) -> bytes | None:
        return self.hashes.get((key, name))

    def pttl(self, key: str) -> int:
        return self.lives_ms.get(key, -2)

    def exists(self, key: str) -> int:
        return int(key in self.lives_ms)

    def time(self) -> tuple[int, int]:
        return (NOW_S, 0)


def heard(beat: dict[str, Any]) -> Any:
    return Broker({(WORKER_HASH, f"email@{socket.gethostname()}"): json.dumps(beat).encode()})


@pytest.mark.parametrize(
    ("broker", "trouble"),
    [
        (heard({"beat_at": NOW_S - 3}), ""),
        (heard({"beat_at": NOW_S - 40}), "has sent no heartbeat for 40 s"),
        (heard({}), "has sent no heartbeat"),
        (Broker(), "has sent no heartbeat"),
    ],
)
def test_a_worker_is_well_while_its_heart_beats(broker: Any, trouble: str) -> None:
    said = health.worker_trouble(broker, "email")
    assert said == (f"email@{socket.gethostname()} {trouble}" if trouble else "")


@pytest.mark.parametrize(("lives_ms", "is_well"), [(29_000, True), (16_000, True), (14_000, False), (-2, False)])
def test_beat_is_well_while_the_lock_of_the_schedule_is_renewed(lives_ms: int, is_well: bool) -> None:
    broker = Broker(lives_ms={"redbeat::lock": lives_ms})
    assert (health.beat_trouble(cast("Any", broker)) == "") is is_well


def test_the_guardian_is_well_while_it_has_looked_lately() -> None:
    assert health.guardian_trouble(cast("Any", Broker(lives_ms={GUARDIAN_BEAT: 9_000}))) == ""
    assert health.guardian_trouble(cast("Any", Broker())) == "no guardian has looked lately"


def test_no_recorder_at_all_is_not_well() -> None:
    assert health.recorder_trouble(cast("Any", Broker())) == "no recorder has given a sign of life"


@pytest.mark.parametrize("words", [["worker"], ["beet"], ["beat", "now"]])
def test_a_part_that_there_is_not_is_answered_with_those_that_there_are(words: list[str]) -> None:
    assert health.check(words) == health.USAGE


def test_the_guardian_needs_no_supervisor_installed() -> None:
    code = "import sys; sys.modules['supervisor'] = None; import celery_nexus.delivery.guardian as g; print(g.main)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
