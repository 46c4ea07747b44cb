"""The registry and what follows from it."""

from __future__ import annotations

import pytest

from celery_nexus.queues import PRIORITIES, priority_key
from config.celery_config import celery_app
from config.queues import QUEUES, spec_of_task
from config.supervisor import render
from tests.harness.places import ROOT


def test_the_committed_supervisor_conf_is_what_the_registry_says() -> None:
    assert (ROOT / "supervisor.conf").read_text() == render()


def test_the_lists_of_a_queue_are_in_the_order_in_which_they_are_consumed() -> None:
    assert QUEUES[0].keys()[:3] == ("email_queue", "email_queue\x06\x161", "email_queue\x06\x162")
    assert len(QUEUES[0].keys()) == len(PRIORITIES)


def test_priority_zero_has_the_queues_bare_name() -> None:
    assert priority_key("ai_queue", 0) == "ai_queue"
    assert priority_key("ai_queue", 9) == "ai_queue\x06\x169"


@pytest.mark.parametrize("spec", QUEUES, ids=lambda spec: spec.family)
def test_celery_knows_every_queue_with_an_exchange_of_its_own(spec) -> None:
    queue = celery_app.amqp.queues[spec.name]
    assert (queue.exchange.name, queue.routing_key) == (spec.name, spec.name)


@pytest.mark.parametrize("spec", QUEUES, ids=lambda spec: spec.family)
def test_every_task_of_a_module_goes_to_its_queue(spec) -> None:
    route = celery_app.amqp.router.route({}, f"{spec.module}.any_task")
    assert route["queue"].name == spec.name


@pytest.mark.parametrize("spec", QUEUES, ids=lambda spec: spec.family)
def test_every_queue_has_a_worker_program_that_can_be_run_by_hand(spec) -> None:
    conf = (ROOT / "supervisor.conf").read_text()
    assert f"-A config.celery_config worker -Q {spec.name} -n {spec.family}@%%h" in conf


def test_a_task_of_somebody_else_belongs_to_no_queue_of_ours() -> None:
    assert spec_of_task("shop.tasks.charge") is None


def test_every_registered_task_of_ours_has_its_familys_limits() -> None:
    celery_app.loader.import_default_modules()
    ours = [task for name, task in celery_app.tasks.items() if spec_of_task(name)]
    assert ours, "no task is registered"
    for task in ours:
        spec = spec_of_task(task.name)
        assert spec is not None
        assert (task.time_limit, task.max_retries) == (spec.time_limit_s, spec.retry.max_retries), task.name
