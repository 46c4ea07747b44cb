"""Every command of every script is refused once: no message is lost or doubled, and no counter or mark fails a step."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.harness.places import ROOT
from tests.integration.scripts.delivery_cases import DELIVERY
from tests.integration.scripts.operator_cases import OPERATORS
from tests.integration.scripts.refusing import Case, copies, is_refusal, run, state
from tests.integration.scripts.told import STOPPED, TOLD

CASES = DELIVERY | OPERATORS
WRITES = {
    *("DEL", "EXPIRE", "HDEL", "HINCRBY", "HSET", "HSETNX", "LINSERT", "LMOVE", "LPOP", "LPUSH", "LREM", "LSET"),
    *("PERSIST", "PEXPIRE", "RENAME", "RPOP", "RPUSH", "SADD", "SET", "SETEX", "SREM", "ZADD", "ZREM"),
}


def scripts_of(module: str) -> Iterator[str]:
    """Yield what a module gives to the server to run."""
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, str) and re.search(r"redis\.p?call\(", value):
            yield value


def every_script() -> set[str]:
    """Find every script in the packages that changes something; what others begin with is none by itself."""
    modules = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for package in ("celery_nexus", "config", "workers", "nexus_tui")
        for path in (ROOT / package).rglob("*.py")
        if "redis.call(" in path.read_text() or "redis.pcall(" in path.read_text()
    ]
    found = {text for module in modules for text in scripts_of(module)}
    whole = {text for text in found if not any(text in other for other in found if other != text)}
    return {text for text in whole if WRITES.intersection(re.findall(r"'([A-Z]+)'", text))}


def test_every_script_that_changes_something_is_among_the_cases() -> None:
    missing = every_script() - {case.script for case in CASES.values()}
    assert [text[:200] for text in missing] == []


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_refused_loses_no_message_and_doubles_none(client: Any, name: str) -> None:
    before, after, case = laid_out(client, CASES[name])
    told: set[str] = set()
    stopped: set[str] = set()
    for number in range(1, 100):
        client.flushall()
        case.prepare(client)
        answer = run(client, case, number)
        refused = client.getdel("refused")
        if refused is None:
            assert number > 1
            break
        found = state(client)
        if is_refusal(answer):
            told.add(refused.decode())
            assert case.goes_on or found == before, refused
            assert not is_refusal(run(client, case)), refused  # as a caller tries it again
            found = state(client)
        elif found != after:
            stopped.add(refused.decode())
            assert copies(client) == case.copies, refused
            continue
        assert found == after, refused
    assert told == of(TOLD[name])
    assert stopped == of(STOPPED.get(name, ""))


def of(commands: str) -> set[str]:
    """Split what is listed in a line."""
    return set(commands.split(", ")) if commands else set()


def laid_out(client: Any, case: Case) -> tuple[dict[str, Any], dict[str, Any], Case]:
    """Take a step that is not refused anything: what was there before and after it, and the step itself."""
    case.prepare(client)
    arguments = [argument(client) if callable(argument) else argument for argument in case.arguments]
    before, known = state(client), replace(case, arguments=arguments)
    assert not is_refusal(run(client, known))
    return before, state(client), replace(known, copies=copies(client))
