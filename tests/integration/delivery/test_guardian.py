"""Workers that are gone for good, and dead letters as operators use them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from supervisor import childutils

from benchmarks.faults.malformed import message
from config.broker_url import BrokerUrl
from config.queues import priority_key
from nexus_tui.sources.broker import BrokerSource
from nexus_tui.sources.dead_letters import DeadLetterSource
from nexus_tui.sources.errors import NotFound
from workers.delivery import keys
from workers.delivery.guardian import COOL_DOWN_S, FatalPrograms, Guardian
from workers.delivery.in_flight import InFlight
from workers.delivery.lease import LEASE_S, Leases, NameTaken, Owner, this_place


def test_the_guardian_gives_what_a_lost_worker_held_to_others(stack: Any) -> None:
    lost = stack.worker("lost")
    stack.publish("t.note", "a", 60)
    stack.until(lambda: stack.count("started:a"))
    lost.kill()
    lost.wait(10)
    stack.worker("other")
    stack.run("-m", "workers.delivery.guardian", log="guardian.log")
    stack.until(lambda: stack.count("started:a") == 2, 30)
    assert list(Leases(stack.client).owners()) == ["other@test"]


def test_a_lease_elsewhere_is_free_after_its_time_and_not_before(stack: Any) -> None:
    leases = Leases(stack.client)
    now = leases.now()
    elsewhere = Owner("another machine", "example.org", 1, 0.0, now - 29)
    stack.client.hset(keys.LEASES, "w@x", json.dumps(_record(elsewhere)))
    with pytest.raises(NameTaken, match=r"w@x already runs on example.org with pid 1"):
        leases.take("w@x")
    stack.client.hset(keys.LEASES, "w@x", json.dumps(_record(elsewhere) | {"renewed_at": now - 31}))
    assert leases.take("w@x").place == this_place()


@pytest.mark.parametrize(
    "odd",
    [{"pid": -5}, {"pid": "x"}, {"renewed_at": "soon"}, {"born_at": None}, {"place": 1}, {"renewed_at": float("nan")}],
)
def test_a_lease_that_nobody_can_have_written_keeps_no_name(stack: Any, odd: dict[str, Any]) -> None:
    leases = Leases(stack.client)
    record = _record(leases.take("w@x")) | {"pid": 1} | odd
    stack.client.hset(keys.LEASES, "w@x", json.dumps(record))
    assert leases.owners() == {}
    assert leases.take("w@x").place == this_place()


def test_a_lease_from_the_future_is_ended_by_the_guardian_after_the_time_of_a_lease(stack: Any) -> None:
    leases = Leases(stack.client)
    ahead = Owner("another machine", "example.org", 1, 0.0, leases.now() + 3600)
    stack.client.hset(keys.LEASES, "w@x", json.dumps(_record(ahead)))
    with pytest.raises(NameTaken):
        leases.take("w@x")
    guardian = Guardian(InFlight(stack.client, "guardian"))
    guardian.look()
    assert leases.owners() == {"w@x": ahead}
    guardian.watched["w@x"].gone_since -= LEASE_S
    guardian.look()
    assert leases.owners() == {}


def test_a_pid_that_is_used_again_does_not_keep_a_name(stack: Any) -> None:
    leases = Leases(stack.client)
    mine = leases.take("w@x")
    stack.client.hset(keys.LEASES, "w@x", json.dumps(_record(mine) | {"born_at": mine.born_at - 100}))
    assert leases.take("w@x").born_at == mine.born_at


def test_dead_letters_are_listed_shown_retried_and_dropped(stack: Any) -> None:
    stack.worker()
    unknown = message("t.later", ("x",))
    stack.client.lpush(priority_key("default_queue", 3), json.dumps(unknown), b"garbage")
    stack.until(lambda: stack.client.zcard(keys.DEAD) == 2)
    source = DeadLetterSource(BrokerSource(BrokerUrl.parse(stack.url)))
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
    from workers.delivery import in_flight
    from workers.delivery.keys import FetchedTag

    monkeypatch.setattr(in_flight, "MAX_DEAD_LETTERS", 3)
    held = in_flight.InFlight(stack.client, "w@x")
    for number in range(5):
        tag = FetchedTag(f"{number} {priority_key('default_queue', 5)}")
        stack.client.hset(held.key, tag, f"m{number}")
        held.bury(tag, "malformed")
    letters = stack.client.zrange(keys.DEAD, 0, -1)
    assert [stack.client.hget(keys.DEAD_BYTES, letter) for letter in letters] == [b"m2", b"m3", b"m4"]
    assert stack.client.hlen(keys.DEAD_FACTS) == 3


def _record(owner: Owner) -> dict[str, Any]:
    return {name: getattr(owner, name) for name in Owner.__slots__}


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
