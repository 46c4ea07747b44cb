"""What the arguments of remote control commands may be."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from celery.worker import control

from celery_nexus.delivery.transport import control_arguments
from celery_nexus.delivery.validation import Malformed

RIGHT: dict[str, list[dict[str, Any]]] = {
    "add_consumer": [{"queue": "q"}, {"queue": "q", "exchange": "e", "exchange_type": "topic", "routing_key": "a.#"}],
    "autoscale": [{"max": 10, "min": 3}, {"max": None, "min": None}],
    "cancel_consumer": [{"queue": "q"}],
    "conf": [{}, {"with_defaults": True}],
    "hello": [{"from_node": "w@h", "revoked": {}}, {"from_node": "w@h", "revoked": ["a"]}],
    "pool_grow": [{}, {"n": 2}],
    "pool_restart": [{"modules": ["a"], "reload": True, "reloader": None}],
    "query_task": [{"ids": ["a"]}],
    "rate_limit": [{"task_name": "t", "rate_limit": rate} for rate in ("5/m", "0.5/s", "10", "", None, 0, 3)],
    "registered": [{"taskinfoitems": ["rate_limit"], "builtins": False}],
    "revoke": [{"task_id": "a"}, {"task_id": ["a", "b"], "terminate": True, "signal": "KILL"}],
    "revoke_by_stamped_headers": [{"headers": {"h": ["a", "b"]}}, {"headers": ["h=a"], "terminate": False}],
    "shutdown": [{}],
    "terminate": [{"task_id": "a", "signal": "SIGTERM"}, {"task_id": ["a"], "signal": 9}],
    "time_limit": [{"task_name": "t", "soft": 1.5, "hard": None}],
    "somebody_elses": [{"anything": {"a": 1}}],
}


@pytest.mark.parametrize("method", RIGHT)
def test_a_command_as_celery_sends_it_is_obeyed(method: str) -> None:
    for arguments in RIGHT[method]:
        control_arguments.check(method, arguments)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("add_consumer", {"queue": {"a": 1}}, r"add_consumer\.queue can't be dict {'a': 1}"),
    ("add_consumer", {"queue": ""}, r"add_consumer\.queue can't be str ''"),
    ("add_consumer", {"queue": "q\n"}, r"add_consumer\.queue"),
    ("add_consumer", {"queue": "\ud800"}, r"add_consumer\.queue"),
    ("add_consumer", {"queue": "q" * 256}, r"add_consumer\.queue"),
    ("add_consumer", {"queue": "q", "exchange_type": "none"}, r"exchange_type can't be str 'none'"),
    ("add_consumer", {"queue": "q", "routing_key": 7}, r"routing_key can't be int 7"),
    ("add_consumer", {"queue": "q", "bindings": 7}, r"add_consumer has no argument 'bindings'"),
    ("add_consumer", {}, r"add_consumer lacks its argument queue"),
    ("cancel_consumer", {"queue": ["q"]}, r"cancel_consumer\.queue can't be list"),
    ("autoscale", {"max": "9"}, r"autoscale\.max can't be str"),
    ("pool_grow", {"n": 257}, r"pool_grow\.n can't be int 257"),
    ("pool_grow", {"n": -1}, r"pool_grow\.n can't be int -1"),
    ("pool_grow", {"n": True}, r"pool_grow\.n can't be bool"),
    ("pool_shrink", {"n": 1.5}, r"pool_shrink\.n can't be float"),
    ("rate_limit", {"task_name": "t", "rate_limit": "nan/s"}, r"rate_limit can't be str 'nan/s'"),
    ("rate_limit", {"task_name": "t", "rate_limit": "5/y"}, r"rate_limit can't be str '5/y'"),
    ("rate_limit", {"task_name": "t", "rate_limit": float("inf")}, r"rate_limit can't be float inf"),
    ("time_limit", {"task_name": "t", "hard": "9"}, r"time_limit\.hard can't be str '9'"),
    ("time_limit", {"task_name": "t", "soft": float("nan")}, r"time_limit\.soft can't be float nan"),
    ("revoke", {"task_id": {"a": 1}}, r"revoke\.task_id can't be dict"),
    ("revoke", {"task_id": "a", "signal": ["KILL"]}, r"revoke\.signal can't be list"),
    ("revoke", {"task_id": "a", "terminate": "yes"}, r"revoke\.terminate can't be str"),
    ("revoke_by_stamped_headers", {"headers": {"h": {"a": 1}}}, r"headers can't be dict"),
    ("revoke_by_stamped_headers", {"headers": ["h"]}, r"headers can't be list"),
    ("hello", {"from_node": 7}, r"hello\.from_node can't be int"),
    ("hello", {"from_node": "w@h", "revoked": [[1]]}, r"hello\.revoked can't be list"),
    ("memdump", {"samples": 10**9}, r"memdump\.samples can't be int"),
    ("pool_restart", {"modules": {"os": 1}}, r"pool_restart\.modules can't be dict"),
]


@pytest.mark.parametrize(("method", "arguments", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_an_argument_of_the_wrong_type_is_named(method: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(Malformed, match=words):
        control_arguments.check(method, arguments)


def test_every_argument_of_celerys_own_commands_is_declared() -> None:
    known: Any = control_arguments._ARGUMENTS
    panel: Any = control.Panel
    undeclared = [
        f"{name}.{parameter.name}"
        for name, command in panel.data.items()
        if command.__module__.startswith("celery.")
        for parameter in list(inspect.signature(command).parameters.values())[1:]
        if parameter.kind is not parameter.VAR_KEYWORD and not name.startswith("dump_")
        if parameter.name not in known.get(name, {})
    ]
    assert undeclared == []
