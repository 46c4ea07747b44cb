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
    "active": [{"safe": True}, {"safe": None}],
    "autoscale": [{"max": 256, "min": 0}, {"max": 10, "min": 3}, {"max": None, "min": None}],
    "cancel_consumer": [{"queue": "q"}],
    "conf": [{}, {"with_defaults": True}],
    "hello": [{"from_node": "w@h", "revoked": {}}, {"from_node": "w@h", "revoked": ["a"]}],
    "memdump": [{"samples": 10_000}],
    "objgraph": [{"type": "Request", "num": 200, "max_depth": 100}],
    "pool_grow": [{}, {"n": 2}, {"n": 256}, {"n": 0}],
    "pool_shrink": [{"n": 256}],
    "pool_restart": [{"modules": ["a"], "reload": True, "reloader": None}],
    "query_task": [{"ids": ["a"]}],
    "rate_limit": [{"task_name": "t", "rate_limit": rate} for rate in ("5/m", "0.5/s", "10", "", None, 0, 3)],
    "registered": [{"taskinfoitems": ["rate_limit"], "builtins": False}],
    "revoke": [{"task_id": "a"}, {"task_id": ["a", "b"], "terminate": True, "signal": "KILL"}],
    "revoke_by_stamped_headers": [{"headers": {"h": ["a", "b"]}}, {"headers": ["h=a"], "terminate": False}],
    "shutdown": [{}],
    "terminate": [{"task_id": "a", "signal": "SIGTERM"}, {"task_id": ["a"], "signal": 64}],
    "time_limit": [{"task_name": "t", "soft": 1.5, "hard": None}, {"task_name": "t" * 255, "hard": 315_360_000}],
    "somebody_elses": [{"anything": {"a": 1}}],
}


@pytest.mark.parametrize("method", RIGHT)
def test_a_command_as_celery_sends_it_is_obeyed(method: str) -> None:
    for arguments in RIGHT[method]:
        control_arguments.check(method, arguments)


LACKING = [
    *(("cancel_consumer", "queue"), ("query_task", "ids"), ("rate_limit", "task_name"), ("revoke", "task_id")),
    *(("revoke_by_stamped_headers", "headers"), ("terminate", "task_id"), ("time_limit", "task_name")),
]
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
    *((method, {}, rf"^{method} lacks its argument {name}$") for method, name in LACKING),
    ("add_consumer", {"queue": "q", "durable": 1}, r"add_consumer\.durable can't be int 1"),
    ("add_consumer", {"queue": "q", "max_length": 2**31 + 1}, r"add_consumer\.max_length can't be int"),
    ("add_consumer", {"queue": "q", "expires": -1}, r"add_consumer\.expires can't be int -1"),
    ("active", {"safe": 1}, r"active\.safe can't be int 1"),
    ("autoscale", {"min": 257}, r"autoscale\.min can't be int 257"),
    ("conf", {"with_defaults": "maybe"}, r"conf\.with_defaults can't be str 'maybe'"),
    ("objgraph", {"max_depth": 101}, r"objgraph\.max_depth can't be int 101"),
    ("query_task", {"ids": [1]}, r"query_task\.ids can't be list"),
    ("shutdown", {"msg": 1}, r"shutdown\.msg can't be int 1"),
    ("terminate", {"task_id": "a", "signal": 65}, r"terminate\.signal can't be int 65"),
    ("time_limit", {"task_name": "t", "hard": 315_360_001}, r"time_limit\.hard can't be int 315360001"),
    ("time_limit", {"task_name": "t", "hard": True}, r"time_limit\.hard can't be bool True"),
    ("pool_grow", {"n": 10**100}, rf"pool_grow\.n can't be int 1{'0' * 59}…$"),
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
