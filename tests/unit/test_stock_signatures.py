"""Signatures of anybody's tasks: what a form shows of them, and calls that can't be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from celery import Celery

from celery_nexus.application_code import ApplicationCode
from celery_nexus.catalog.own import CatalogSource
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.errors import Invalid

if TYPE_CHECKING:
    from decimal import Decimal


def send(self: Any, to: str, kind: Literal["a", "b"] = "a", *, price: Decimal | None = None, **more: Any) -> None:
    """Send something.

    Args:
        to: Who gets it.
    """


def old(first, second=3, *rest):  # type: ignore[no-untyped-def]
    """Count."""


def source(**conf: Any) -> CatalogSource:
    app = Celery("shop", broker="redis://", set_as_current=False)
    app.conf.update(task_routes={"shop.mail.*": {"queue": "mail"}, "shop.old": "slow"}, **conf)
    app.task(name="shop.mail.send", bind=True, rate_limit="10/m", time_limit=30)(send)
    app.task(name="shop.old")(old)
    app.finalize()
    return CatalogSource(ApplicationCode(load=lambda: app), BrokerUrl.parse("redis://localhost"))


def test_types_and_help_are_read_though_a_name_is_for_type_checkers_only() -> None:
    found = source().task_type("shop.mail.send")
    assert [(row.name, row.kind, row.required, row.help) for row in found.parameters] == [
        ("to", "text", True, "Who gets it."),
        ("kind", "choice", False, ""),
        ("price", "json", False, ""),
    ]
    assert found.summary == "Send something."


def test_arguments_without_types_have_a_field_each() -> None:
    found = source().task_type("shop.old")
    assert [(row.name, row.required, row.default) for row in found.parameters] == [
        ("first", True, None),
        ("second", False, 3),
    ]


@pytest.mark.parametrize(
    ("task", "conf", "queue"),
    [
        ("shop.mail.send", {}, "mail"),
        ("shop.old", {}, "slow"),
        ("shop.mail.send", {"task_routes": {}}, "celery"),
        ("shop.mail.send", {"task_routes": {}, "task_default_queue": "usual"}, "usual"),
    ],
)
def test_a_task_goes_where_its_application_sends_it(task: str, conf: dict[str, Any], queue: str) -> None:
    catalog = source()
    catalog.app.conf.update(conf)
    assert catalog.queue_of(task) == queue


def test_limits_are_those_of_the_task_or_of_its_application() -> None:
    catalog = source(task_soft_time_limit=20)
    assert catalog.task_type("shop.mail.send").limits == (
        "each worker starts at most 10/m; told to end after 20 s; killed after 30 s"
    )
    assert catalog.task_type("shop.old").limits == "told to end after 20 s"


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ([], {}, "missing a required argument: 'to'"),
        (["a"], {"to": "b"}, "multiple values for argument 'to'"),
        (["a", "b", "c"], {}, "too many positional arguments"),
    ],
)
def test_a_call_that_can_not_be_is_refused(args: list[Any], kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        source().check("shop.mail.send", args, kwargs)


def test_a_call_that_can_be_is_left_to_the_task() -> None:
    source().check("shop.mail.send", [5], {"anything": 1})
