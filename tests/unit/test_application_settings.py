"""What an application's settings say of its broker."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery

from celery_nexus.connection.errors import BrokerUrlError
from celery_nexus.delivery.layout import layout_of
from celery_nexus.installation import broker_of, code_of


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the environment's comes before the settings."""
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.delenv(name, raising=False)


def make(broker: Any, **conf: Any) -> Celery:
    app = Celery("shop", broker=broker, set_as_current=False)
    app.conf.update(conf)
    return app


@pytest.mark.parametrize(
    ("broker", "conf", "address"),
    [
        ("redis://:p%40w@h:1/3", {}, "redis://:p%40w@h:1/3"),
        ("redis://", {}, "redis://localhost:6379/0"),
        ("redis:///2", {}, "redis://localhost:6379/2"),
        ("localhost", {"broker_transport": "redis"}, "redis://localhost:6379/0"),
        ("redis+socket:///tmp/x.sock?virtual_host=4", {}, "unix:///tmp/x.sock?db=4"),
        ("redis://h1:1/0;redis://h2:1/0", {}, "redis://h1:1/0"),
        (["redis://h1:1/0", "redis://h2:1/0"], {}, "redis://h1:1/0"),
        ("redis://h/0", {"broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_NONE}}, "rediss://h:6379/0?ssl_cert_reqs=none"),
        ("rediss://h/0?ssl_cert_reqs=CERT_NONE", {}, "rediss://h:6379/0?ssl_cert_reqs=none"),
        (
            "sentinel://:pw@a:1/0;sentinel://:pw@b:2/0",
            {"broker_transport_options": {"master_name": "m", "sentinel_kwargs": {"password": "x"}}},
            "sentinel://:pw@a:1,b:2/0?master_name=m&sentinel_password=x",
        ),
    ],
)
def test_the_broker_is_where_the_application_publishes(broker: Any, conf: dict[str, Any], address: str) -> None:
    assert broker_of(make(broker, **conf)).redis_py == address


def test_celerys_variable_comes_before_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://other:1/1")
    assert broker_of(make("redis://h:1/3")).redis_py == "redis://other:1/1"


@pytest.mark.parametrize(
    ("broker", "said"),
    [
        (None, "this is RabbitMQ"),
        ("pyamqp://guest:secret@h//", "this is RabbitMQ"),
        ("sqs://KEY:secret@", "this is Amazon SQS"),
        ("memory://", "this broker lives in one process"),
    ],
)
def test_another_kind_of_broker_is_named_without_its_secret(broker: str | None, said: str) -> None:
    with pytest.raises(BrokerUrlError, match=said) as caught:
        broker_of(make(broker))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("transport", "kind"), [("amqp", "RabbitMQ"), ("sqs", "Amazon SQS"), ("memory", "one process")]
)
def test_a_transport_of_another_kind_comes_before_the_address_as_for_celery(transport: str, kind: str) -> None:
    with pytest.raises(BrokerUrlError, match=f"the setting broker_transport, which comes before broker_url: .*{kind}"):
        broker_of(make("redis://h:1/3", broker_transport=transport))


@pytest.mark.parametrize("transport", ["redis", "kombu.transport.redis:Transport"])
def test_a_transport_that_says_the_same_changes_nothing(transport: str) -> None:
    assert broker_of(make("redis://h:1/3", broker_transport=transport)).redis_py == "redis://h:1/3"


def test_the_names_of_its_keys_are_those_of_its_transport_options() -> None:
    options = {"sep": ":", "priority_steps": [9, 0, 5], "global_keyprefix": "shop.", "unacked_key": "held"}
    layout = layout_of(make("redis://", broker_transport_options=options))
    assert (layout.separator, layout.steps, layout.prefix, layout.unacked_name) == (":", (0, 5, 9), "shop.", "held")


def test_a_stock_application_has_celerys_names() -> None:
    layout = layout_of(make("redis://"))
    assert (layout.separator, layout.steps, layout.prefix) == ("\x06\x16", (0, 3, 6, 9), "")


@pytest.mark.parametrize(("expires", "kept_s"), [(timedelta(days=2), 172800), (60, 60), (None, None), (0, None)])
def test_results_are_kept_as_long_as_the_application_says(expires: Any, kept_s: int | None) -> None:
    assert code_of(make("redis://", result_expires=expires)).result_expires_s == kept_s
