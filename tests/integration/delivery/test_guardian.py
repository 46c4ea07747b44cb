"""Workers that are gone for good, and dead letters as operators use them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from typing import Any

import pytest
from supervisor import childutils

from benchmarks.faults.malformed import message
from celery_nexus.broker import BrokerSource
from celery_nexus.broker.dead_letters import DeadLetterSource
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.delivery import keys
from celery_nexus.delivery.guardian import COOL_DOWN_S, FatalPrograms, Guardian
from celery_nexus.delivery.leases.in_flight import InFlight
from celery_nexus.delivery.leases.lease import LEASE_S, Leases, NameTaken, Owner
from celery_nexus.errors import NotFound
from celery_nexus.queues import priority_key
from workers.deployment import CODE


def elsewhere(leases: Leases) -> Owner:
    """Make the owner of a name that runs on another machine."""
    return Owner("there", "another-boot pid:[1]", "example.org", 1, 7, 0, leases.now())


def test_the_guardian_gives_what_a_lost_worker_held_to_others(stack: Any) -> None:
    lost = stack.worker("lost")
    stack.publish("t.note", "a", 60)
    stack.until(lambda: stack.count("started:a"))
    stack.worker("other")
    lost.kill()
    lost.wait(10)
    stack.run("-m", "celery_nexus.delivery.guardian", "-A", "config.celery_config", log="guardian.log")
    stack.until(lambda: stack.count("started:a") == 2, 30)
    assert list(Leases(stack.client).owners()) == ["other@test"]


def test_a_worker_that_starts_gives_what_a_lost_one_held_to_others_without_a_guardian(stack: Any) -> None:
    lost = stack.worker("lost")
    stack.publish("t.note", "a", 60)
    stack.until(lambda: stack.count("started:a"))
    lost.kill()
    lost.wait(10)
    stack.worker("other")
    stack.until(lambda: stack.count("started:a") == 2, 30)
    assert list(Leases(stack.client).owners()) == ["other@test"]


def test_a_lease_elsewhere_is_free_once_it_has_stood_still_for_its_time(stack: Any) -> None:
    now = [0.0]
    leases = Leases(stack.client, clock=lambda: now[0])
    stack.client.hset(keys.LEASES, "w@x", _record(elsewhere(leases)))
    for at in (0.0, 5.0, 10.0, LEASE_S - 0.1):
        now[0] = at
        with pytest.raises(NameTaken, match=r"w@x already runs on example.org with pid 1") as told:
            leases.take("w@x")
        assert told.value.lives is False
    now[0] = LEASE_S
    assert leases.take("w@x").pid == os.getpid()


def test_a_lease_elsewhere_that_is_renewed_is_never_free(stack: Any) -> None:
    now = [0.0]
    leases = Leases(stack.client, clock=lambda: now[0])
    for renewals in range(10):
        now[0] = renewals * 4.0
        stack.client.hset(keys.LEASES, "w@x", _record(replace(elsewhere(leases), renewals=renewals)))
        with pytest.raises(NameTaken) as told:
            leases.take("w@x")
        assert told.value.lives is (renewals > 0)


@pytest.mark.parametrize("step_s", [-3600.0, -1.0, 1.0, 3600.0])
def test_the_clocks_of_broker_and_owner_say_nothing_of_its_life(stack: Any, step_s: float) -> None:
    guardian = Guardian(stack.producer, InFlight(stack.client, "guardian"), clock=lambda: 0.0)
    leases = Leases(stack.client)
    there = elsewhere(leases)
    stack.client.hset(keys.LEASES, "w@x", _record(replace(there, renewed_at=there.renewed_at + step_s)))
    guardian.look()
    guardian.look()
    assert list(leases.owners()) == ["w@x"]


def test_the_guardian_rescues_what_stood_still_and_starts_anew_after_a_pause_of_its_own(stack: Any) -> None:
    now = [0.0]
    guardian = Guardian(stack.producer, InFlight(stack.client, "guardian"), clock=lambda: now[0])
    leases = Leases(stack.client)
    stack.client.hset(keys.LEASES, "w@x", _record(elsewhere(leases)))
    for at in (0.0, 4.0, 8.0, 12.0, 3600.0, 3604.0, 3608.0, 3612.0):
        now[0] = at
        guardian.look()
        assert list(leases.owners()) == ["w@x"]
    now[0] = 3600.0 + LEASE_S
    guardian.look()
    assert leases.owners() == {}


def test_a_pid_that_is_used_again_does_not_keep_a_name(stack: Any) -> None:
    mine = Leases(stack.client).take("w@x")
    stack.client.hset(keys.LEASES, "w@x", _record(replace(mine, start=mine.start - 100)))
    assert Leases(stack.client).take("w@x").start == mine.start


def test_a_record_that_nobody_can_have_written_keeps_no_name(stack: Any) -> None:
    leases = Leases(stack.client)
    stack.client.hset(keys.LEASES, "w@x", json.dumps({"pid": -5}))
    assert leases.owners() == {}
    assert leases.take("w@x").pid == os.getpid()


def test_a_renewal_keeps_the_token_and_a_lease_that_is_gone_gets_another(stack: Any) -> None:
    leases = Leases(stack.client)
    first = leases.take("w@x")
    assert [leases.take("w@x").renewals, leases.take("w@x").renewals] == [1, 2]
    assert leases.owners()["w@x"].token == first.token
    stack.client.flushall()
    assert leases.take("w@x").token != first.token


def test_a_name_is_dropped_by_its_owner_alone(stack: Any) -> None:
    leases = Leases(stack.client)
    mine = leases.take("w@x")
    stack.client.hset(keys.starts_key("w@x"), "1 default_queue", 1)
    assert not leases.drop("w@x", replace(mine, token="another"))
    assert stack.client.exists(keys.starts_key("w@x"))
    assert leases.drop("w@x", mine)
    assert stack.client.keys("nexus:*") == []


def test_dead_letters_are_listed_shown_retried_and_dropped(stack: Any) -> None:
    stack.worker()
    unknown = message("t.later", ("x",))
    stack.client.lpush(priority_key("default_queue", 3), json.dumps(unknown), b"garbage")
    stack.until(lambda: stack.client.zcard(keys.DEAD) == 2)
    source = DeadLetterSource(BrokerSource(BrokerUrl.parse(stack.url), code=CODE))
    garbage, run = sorted(source.list(), key=lambda letter: letter.reason)
    assert (garbage.reason, run.reason, run.task, run.queue, run.priority) == (
        "malformed",
        "unknown task",
        "t.later",
        "default_queue",
        3,
    )
    assert source.show(garbage.id).raw == b"garbage"
    assert source.show(unknown["headers"]["id"]).id == run.id
    assert not source.retry(garbage.id).done
    assert source.drop(garbage.id).done
    with pytest.raises(NotFound):
        source.show(garbage.id)
    assert source.retry(run.id).done
    again = stack.until(lambda: [letter for letter in source.list() if letter.id != run.id])
    assert (again[0].run_id, again[0].priority) == (run.run_id, 3)


def test_the_oldest_dead_letters_give_way_to_new_ones(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from celery_nexus.delivery.keys import FetchedTag
    from celery_nexus.delivery.leases import in_flight

    monkeypatch.setattr(in_flight, "MAX_DEAD_LETTERS", 3)
    held = in_flight.InFlight(stack.client, "w@x")
    for number in range(5):
        tag = FetchedTag(f"{number} {priority_key('default_queue', 5)}")
        stack.client.hset(held.key, tag, f"m{number}")
        held.set_aside(tag, "malformed")
    letters = stack.client.zrange(keys.DEAD, 0, -1)
    assert [stack.client.hget(keys.DEAD_BYTES, letter) for letter in letters] == [b"m2", b"m3", b"m4"]
    assert stack.client.hlen(keys.DEAD_FACTS) == 3


def _record(owner: Owner) -> str:
    return json.dumps(asdict(owner))


def test_a_program_that_supervisor_gave_up_is_started_again_with_a_pause_that_doubles(stack: Any) -> None:
    folder = stack.home / "fatal"
    folder.mkdir()
    configuration = folder / "supervisor.conf"
    configuration.write_text(
        f"[unix_http_server]\nfile={folder}/s.sock\n"
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={folder}/s.pid\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        f"[program:ill]\ncommand=sh -c 'test -e {folder}/well && exec sleep 60'\nstartretries=0\nstartsecs=1\n"
    )
    stack.run("-m", "supervisor.supervisord", "-c", str(configuration), log="supervisord.log")
    stack.until((folder / "s.sock").exists)
    rpc: Any = childutils.getRPCInterface({"SUPERVISOR_SERVER_URL": f"unix://{folder}/s.sock"})
    stack.until(lambda: _state(rpc) == "FATAL")
    fatal = FatalPrograms()
    fatal.restart(rpc)
    assert fatal.restarts["ill:ill"][1] == 2 * COOL_DOWN_S
    stack.until(lambda: _state(rpc) == "FATAL")
    (folder / "well").touch()
    fatal.restart(rpc)
    assert _state(rpc) == "FATAL"  # not before the pause is over
    fatal.restarts.clear()
    fatal.restart(rpc)
    stack.until(lambda: _state(rpc) == "RUNNING")
    rpc("close")()


def _state(rpc: Any) -> str:
    return str(rpc.supervisor.getProcessInfo("ill")["statename"])
