"""What a probe concludes of a worker from what the broker told."""

from __future__ import annotations

import os
import socket

import pytest

from celery_nexus.probe import processes, worker
from celery_nexus.probe.answer import BROKEN, UNKNOWN, WELL
from celery_nexus.probe.clients import Client

WAITS = Client("10.0.0.7:1", "10.0.0.1:6379", 8, 0, True, "brpop")
TOOK = WAITS._replace(is_blocked=False, idle_s=40)
OTHER = WAITS._replace(is_blocked=False, idle_s=40, command="publish")
SEEN = worker.Seen(
    node="w@h",
    beat=None,
    silent_s=None,
    holds=0,
    names=("w@h",),
    listening=1,
    topic="/0.celery.pidbox",
    in_flight=0,
    clients=(WAITS,),
    server_pid=1,
    is_direct=True,
)
OURS = SEEN._replace(beat={"pid": os.getpid()}, silent_s=1.0)


def test_a_worker_whose_connection_waits_at_a_list_is_well() -> None:
    found = worker.judge_connections(SEEN, [OTHER, WAITS], 0)
    assert found is not None
    assert (found.code, found.line) == (WELL, "w@h waits for messages")


def test_a_worker_that_holds_what_it_took_last_is_busy() -> None:
    found = worker.judge_connections(SEEN, [TOOK], taken=1)
    assert found is not None
    assert (found.code, found.line) == (WELL, "w@h is busy with what it took 40 s ago")


def test_a_worker_that_never_waited_at_a_list_is_deaf_though_others_hold_messages() -> None:
    found = worker.judge_connections(SEEN._replace(in_flight=9), [OTHER], taken=9)
    assert found is not None
    assert found.code == BROKEN
    assert "none of its connections waits for messages" in found.line


def test_of_a_worker_that_acknowledged_what_it_took_nothing_is_concluded() -> None:
    assert worker.judge_connections(SEEN, [TOOK], taken=0) is None


def test_a_worker_of_ours_that_waits_for_nothing_is_deaf_though_it_sends_heartbeats() -> None:
    found = worker.judge_connections(OURS, [OTHER], 0)
    assert found is not None
    assert found.code == BROKEN


def test_a_worker_that_takes_nothing_on_purpose_is_not_called_broken() -> None:
    found = worker.judge_connections(OURS._replace(paused=("mail",)), [OTHER], 0)
    assert found is not None
    assert (found.code, found.line) == (
        UNKNOWN,
        "w@h takes nothing, on purpose: mail was paused by an operator; nexus-tui resume mail",
    )


def test_the_queues_of_a_worker_that_were_paused_are_read_off_what_pause_noted() -> None:
    noted = [b"mail", b'{"at": 1, "workers": ["w@h"]}', b"other", b'{"workers": ["v@h"]}', b"odd", b"nonsense"]
    assert worker._paused(noted, "w@h") == ("mail",)


def test_a_worker_of_ours_that_holds_messages_is_busy() -> None:
    found = worker.judge_connections(OURS._replace(holds=4), [OTHER], 0)
    assert found is not None
    assert (found.code, found.line) == (WELL, "w@h is busy: it holds 4 messages")


def test_a_worker_without_heartbeats_hangs() -> None:
    found = worker.judge_silence(OURS._replace(silent_s=15.5))
    assert found is not None
    assert (found.code, found.line) == (BROKEN, "w@h has sent no heartbeat for 16 s: it hangs, or is gone")


def test_a_solo_pool_that_holds_a_message_may_be_at_work_without_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "has_children", lambda _: False)
    found = worker.judge_silence(OURS._replace(silent_s=100.0, holds=1))
    assert found is not None
    assert found.code == UNKNOWN


def test_a_worker_that_sent_a_heartbeat_is_not_judged_by_it_alone() -> None:
    assert worker.judge_silence(OURS) is None


def test_from_elsewhere_a_worker_is_well_when_everybody_who_listens_waits() -> None:
    pair = SEEN._replace(names=("v@h", "w@h"), listening=2, clients=(WAITS, WAITS))
    found = worker.judge_together(pair)
    assert found is not None
    assert (found.code, found.line) == (WELL, "w@h waits for messages: 2 workers listen, 2 connections wait")


def test_from_elsewhere_nothing_is_concluded_when_one_of_two_waits() -> None:
    assert worker.judge_together(SEEN._replace(names=("v@h", "w@h"), listening=2)) is None


def test_a_killed_worker_leaves_its_name_and_is_not_counted_by_it() -> None:
    assert worker.judge_together(SEEN._replace(names=("v@h", "w@h"), listening=1)) is None
    found = worker.judge_answer(SEEN._replace(names=("v@h", "w@h")), None)
    assert (found.code, found.line) == (
        BROKEN,
        "w@h does not answer, and nothing is in flight: it is gone, or hangs",
    )


def test_nobody_who_waits_and_nothing_in_flight_is_a_deaf_worker() -> None:
    found = worker.judge_together(SEEN._replace(clients=(OTHER,)))
    assert found is not None
    assert found.code == BROKEN


def test_a_name_that_nobody_has_is_no_worker() -> None:
    found = worker.judge_together(SEEN._replace(node="x@h"))
    assert found is not None
    assert (found.code, found.line) == (BROKEN, "no worker x@h is at this broker; there are w@h")


def test_a_name_that_nobody_has_may_be_a_worker_without_remote_control() -> None:
    found = worker.judge_together(SEEN._replace(node="x@h", clients=(WAITS, WAITS)))
    assert found is not None
    assert found.code == UNKNOWN


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"active_queues": [], "active": []}, BROKEN),
        ({"active_queues": [{"name": "celery"}], "active": [{"id": "1"}]}, WELL),
        ({"active_queues": [{"name": "celery"}], "active": []}, UNKNOWN),
    ],
)
def test_a_worker_that_answers_is_judged_by_what_it_does(told: dict[str, object], code: int) -> None:
    assert worker.judge_answer(SEEN, told).code == code


def test_silence_with_messages_in_flight_may_be_a_solo_pool() -> None:
    assert worker.judge_answer(SEEN._replace(in_flight=1), None).code == UNKNOWN


@pytest.mark.parametrize(
    ("given", "node"),
    [
        ("email", "email@HOST"),
        ("email@%h", "email@HOST"),
        ("email@elsewhere", "email@elsewhere"),
        ("工人@一号", "工人@一号"),
    ],
)
def test_a_name_without_a_host_is_one_of_this_host(given: str, node: str) -> None:
    assert processes.expand_node(given) == node.replace("HOST", socket.gethostname())


@pytest.mark.parametrize(
    ("command", "is_it"),
    [
        ("celery -A shop worker -n a@h -c 2", True),
        ("celery -A shop worker -na@h", True),
        ("celery -A shop worker --hostname=a@h", True),
        ("celery -A shop worker --hostname a@h", True),
        ("celery -A shop worker -n b@h", False),
        ("celery -A shop worker", False),
        ("/venv/bin/python /venv/bin/celery -A shop worker -n a@h", True),
        ("python -m celery -A shop worker -n a@h", True),
        ("python /venv/bin/nexus-tui probe worker -n a@h", False),
        ("celery -A shop beat", False),
    ],
)
def test_a_worker_is_known_by_its_command_line(command: str, is_it: bool) -> None:
    assert processes._is_worker(command.split(), "a@h") is is_it


def test_a_command_line_without_a_name_is_that_of_the_default_one() -> None:
    node = f"celery@{socket.gethostname()}"
    assert processes._is_worker(["celery", "worker"], node)
    assert not processes._is_worker(["python", "/venv/bin/nexus-tui", "probe", "worker", "celery@%h"], node)
