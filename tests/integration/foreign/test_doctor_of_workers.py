"""More faults of strangers' workers, brokers and schedules, each made for real, and what the doctor says of it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from celery_nexus.diagnosis import gather
from celery_nexus.diagnosis.doctor import examine
from celery_nexus.rows.diagnosis.findings import Finding
from tests.harness.places import ROOT
from tests.harness.waiting import wait_until
from tests.harness.wheels import make_environment
from tests.integration.foreign import made
from tests.integration.foreign.conftest import Shop

pytestmark = pytest.mark.timeout(180)

OLD = ("celery==5.6.2", "kombu==5.6.2", "redis==8.1.0")
"""Versions of which the doctor knows what they do together."""

AHEAD_S = 3_600
LATE_CLOCK = f"import time; _time = time.time; time.time = lambda: _time() + {AHEAD_S}\n"


def find(shop: Shop) -> dict[tuple[str, str], Finding]:
    """Examine an application; what is wrong with it, by kind and subject."""
    return {(row.kind, row.subject): row for row in examine(shop.sources()) if not row.is_well}


@pytest.fixture
def start(open_shop: Callable[..., Shop]) -> Iterator[Callable[..., Shop]]:
    """Start a worker of an application of its own, and stop it afterwards."""
    started: list[Shop] = []

    def make(conf: dict[str, object] | None = None, *options: str, **more: object) -> Shop:
        shop = open_shop(conf or {}, *options, **more)
        started.append(shop)
        if "database" not in more:
            shop.redis.flushdb()
        shop.start()
        wait_until(lambda: shop.is_ready, "its worker is ready")
        return shop

    yield make
    for shop in started:
        shop.stop(signal.SIGKILL)


def test_a_worker_that_dies_and_is_started_anew_again_and_again_is_crash_looping(
    start: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("LOOK_ON_S", "SILENT_S"):  # however slowly this machine starts a worker
        monkeypatch.setattr(gather, limit, 60.0)
    with made.crash_looping(start) as shop:
        finding = find(shop)["crash-looping", shop.name]
        assert finding.severity == "broken"
        assert finding.proof.startswith("it was started anew ")


def test_a_child_that_takes_more_memory_than_it_may_is_told_with_its_task(start: Callable[..., Shop]) -> None:
    with made.over_memory(start) as shop:
        finding = find(shop)["over memory", shop.name]
        assert finding.proof.startswith("its child ")
        assert finding.proof.endswith(" while it runs shop.fatten")


def test_a_queue_that_grows_faster_than_it_drains_is_growing(start: Callable[..., Shop]) -> None:
    with made.growing(start) as shop:
        finding = find(shop)["growing", "celery"]
        assert " come in a second and " in finding.proof


def test_a_schedule_without_a_beat_and_one_that_was_left_behind_have_words_of_their_own(
    start: Callable[..., Shop],
) -> None:
    with made.beat_gone(start) as shop:
        assert set(find(shop)) - {("persistence", shop.sources().broker.url.masked)} == {("beat gone", "beat")}
        made.keep_entry(shop, sent_at=time.time() - 5 * 86_400)
        finding = find(shop)["abandoned schedule", "RedBeat"]
        assert finding.proof.startswith("no beat holds redbeat::lock; tick waits in RedBeat's schedule, and nothing ")
        assert ("beat gone", "beat") not in find(shop)


def test_the_line_that_mends_the_server_runs_as_it_is_printed(start: Callable[..., Shop], server: Path) -> None:
    with made.set_server(start, timeout="300") as shop:
        sources = shop.sources()
        [finding] = [row for row in examine(sources) if row.kind == "idle timeout"]
        line = sources.address_command(finding.fix)
        assert line == f"redis-cli -s {server / 's'} -n {shop.database} CONFIG SET timeout 0"


def test_workers_of_old_versions_with_threads_are_told_to_be_so_and_to_lose_events(
    start: Callable[..., Shop],
) -> None:
    environment = make_environment(Path(sys.executable), "old-celery", OLD)
    shop = start({"worker_send_task_events": True}, python=str(environment.python))
    found = find(shop)
    assert found["mis-versioned", shop.name].proof.startswith("kombu 5.6.2, redis 8.1.0: after a lost connection ")
    assert found["loses events", shop.name].proof.startswith("its pool is thread; celery 5.6.2: ")


def test_a_worker_whose_host_has_another_time_is_told_by_its_heartbeats(
    start: Callable[..., Shop], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(LATE_CLOCK)
    shop = start({}, python=sys.executable, variables={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    finding = find(shop)["clock", shop.name]
    assert finding.proof.endswith(" s ahead of the broker")
    assert finding.proof.startswith(f"{shop.name} is 3,")
