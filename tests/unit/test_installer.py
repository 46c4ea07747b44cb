"""What ``install`` gives an application, part by part, as far as no broker is asked."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from celery.backends.redis import RedisBackend

import celery_nexus
from celery_nexus.application_code import CHORD_EXPIRES_S
from celery_nexus.delivery.ends.private_records import PrivateResults
from celery_nexus.delivery.ends.results import PatientResults

SENTINEL = "sentinel://localhost:26379/0"


def _installed(url: str = "redis://localhost/0", settings: dict[str, Any] | None = None, **parts: Any) -> Any:
    app = Celery("shop", broker=url, backend=url, set_as_current=False)
    app.conf.update({"result_backend_transport_options": {"master_name": "m"}, **(settings or {})})
    celery_nexus.install(app, **parts)
    return app


@pytest.mark.parametrize("url", ["redis://localhost/0", "redis+socket:///tmp/s", SENTINEL])
@pytest.mark.parametrize("delivery", [True, False])
def test_result_records_are_masked_with_any_delivery(url: str, delivery: bool) -> None:
    assert isinstance(_installed(url, delivery=delivery).backend, PrivateResults)


@pytest.mark.parametrize("url", ["redis://localhost/0", SENTINEL])
def test_without_masking_a_worker_that_delivers_reliably_still_waits_for_the_broker(url: str) -> None:
    backend = _installed(url, masking=False).backend
    assert isinstance(backend, PatientResults)
    assert not isinstance(backend, PrivateResults)


def test_without_delivery_and_masking_the_result_backend_is_celerys_own() -> None:
    assert type(_installed(delivery=False, masking=False).backend) is RedisBackend


def test_a_chord_outlives_a_month_unless_the_application_says_otherwise() -> None:
    assert _installed().conf.result_chord_expires == CHORD_EXPIRES_S == 2_592_000
    assert _installed(settings={"result_chord_expires": 60}).conf.result_chord_expires == 60


def test_stock_delivery_keeps_celerys_own_settings() -> None:
    conf = _installed(delivery=False).conf
    assert (conf.result_chord_expires, conf.task_acks_late, conf.worker_consumer) == (
        None,
        False,
        "celery.worker.consumer:Consumer",
    )
