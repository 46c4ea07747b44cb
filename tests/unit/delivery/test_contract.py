"""The internals of kombu 5.7 and Celery 5.7 that delivery overrides: this fails when a new version changes them."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import pytest
from celery.apps import worker as celery_worker
from celery.concurrency import thread
from celery.concurrency.asynpool import AsynPool
from celery.worker import WorkController, loops, state
from celery.worker import request as celery_request
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu.asynchronous import Hub
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

from celery_nexus.queues import PRIORITIES, PRIORITY_SEPARATOR

_redis: Any = kombu_redis


def test_kombu_and_celery_are_the_versions_whose_internals_we_know() -> None:
    assert version("kombu").startswith("5.7.")
    assert version("celery").startswith("5.7.")


def test_our_separator_is_kombus_own_so_that_a_client_without_options_finds_our_queues() -> None:
    assert _redis.Channel.sep == PRIORITY_SEPARATOR
    assert set(_redis.PRIORITY_STEPS) <= set(PRIORITIES)


@pytest.mark.parametrize(
    ("owner", "method", "parameters"),
    [
        (_redis.Channel, "_brpop_start", ["self", "timeout"]),
        (_redis.Channel, "_brpop_read", ["self", "options"]),
        (_redis.Channel, "_put", ["self", "queue", "message", "kwargs"]),
        (_redis.Channel, "_purge", ["self", "queue"]),
        (_redis.Channel, "_size", ["self", "queue"]),
        (_redis.Channel, "_lookup", ["self", "exchange", "routing_key", "default"]),
        (_redis.Channel, "get_table", ["self", "exchange"]),
        (_redis.Channel, "_receive_one", ["self", "c"]),
        (_redis.Channel, "_deliver_fanout_message", ["self", "message", "exchange"]),
        (_redis.Channel, "_connparams", ["self", "asynchronous"]),
        (_redis.Channel, "_flush_brpop_reauth", ["self"]),
        (_redis.Channel, "_q_for_pri", ["self", "queue", "pri"]),
        (_redis.Channel, "basic_consume", ["self", "queue", "args", "kwargs"]),
        (_redis.Channel, "close", ["self"]),
        (_redis.QoS, "append", ["self", "message", "delivery_tag"]),
        (_redis.QoS, "ack", ["self", "delivery_tag"]),
        (_redis.QoS, "reject", ["self", "delivery_tag", "requeue"]),
        (_redis.QoS, "restore_by_tag", ["self", "tag", "client", "leftmost"]),
        (_redis.QoS, "restore_unacked", ["self", "client"]),
        (virtual.Transport, "_deliver", ["self", "message", "queue"]),
        (Consumer, "create_task_handler", ["self", "promise"]),
        (Consumer, "on_decode_error", ["self", "message", "exc"]),
        (Consumer, "on_unknown_message", ["self", "body", "message"]),
        (Consumer, "on_unknown_task", ["self", "body", "message", "exc"]),
        (Consumer, "on_invalid_task", ["self", "body", "message", "exc"]),
        (Consumer, "ensure_connected", ["self", "conn"]),
        (Consumer, "on_connection_error_after_connected", ["self", "exc"]),
        (WorkController, "wait_for_soft_shutdown", ["self"]),
        (virtual.Transport, "drain_events", ["self", "connection", "timeout"]),
        (AsynPool, "_event_process_exit", ["self", "hub", "proc"]),
        (Consumer, "on_close", ["self"]),
        (AsynPool, "_track_child_process", ["self", "proc", "hub"]),
        (Request, "on_failure", ["self", "exc_info", "send_failed_event", "return_ok"]),
        (Request, "reject", ["self", "requeue"]),
    ],
)
def test_an_overridden_method_has_the_signature_that_we_override(
    owner: Any, method: str, parameters: list[str]
) -> None:
    assert list(inspect.signature(getattr(owner, method)).parameters) == parameters


def test_the_poller_starts_and_reads_a_pop_where_we_expect_it() -> None:
    poller = inspect.getsource(_redis.MultiChannelPoller)
    assert "channel._brpop_start()" in poller
    assert "channel._brpop_sent_at" in poller
    assert "_get_and_deliver" not in inspect.getsource(_redis.Channel)
    assert "'BRPOP': self._brpop_read" in inspect.getsource(_redis.Channel.__init__)


def test_a_cold_stop_waits_where_we_let_it_pass() -> None:
    module: Any = celery_worker
    source = inspect.getsource(module.on_cold_shutdown)
    assert "worker.wait_for_soft_shutdown()" in source
    assert "worker.consumer.cancel_active_requests()" in source
    assert "should_terminate" in inspect.getsource(module._shutdown_handler)
    assert "copy(self.on_tick)" in inspect.getsource(Hub.create_loop)
    assert "self._apply_result = maybe(ref, result)" in inspect.getsource(Request.execute_using_pool)


def test_a_pool_forgets_after_a_lost_connection_what_no_child_accepted() -> None:
    pool: Any = AsynPool
    source = inspect.getsource(pool.flush)
    assert "if not job._accepted:" in source
    assert "job.discard()" in source
    assert "self.outbound_buffer.clear()" in source
    assert "job._write_to = proc" in inspect.getsource(pool._create_write_handlers)
    assert "self.pool.flush()" in inspect.getsource(Consumer.on_close)


def test_a_worker_without_an_event_loop_looks_for_its_end_between_two_waits_for_messages() -> None:
    source = inspect.getsource(loops.synloop)
    assert "state.maybe_shutdown()" in source
    assert "connection.drain_events(timeout=2.0)" in source
    assert "WorkerShutdown(should_stop)" in inspect.getsource(state.maybe_shutdown)
    assert "executor.shutdown(cancel_futures=True)" in inspect.getsource(thread.TaskPool.on_stop)


def test_a_lost_child_is_rejected_for_requeueing() -> None:
    source = inspect.getsource(Request.on_failure)
    assert "reject_on_worker_lost" in source
    assert "self.reject(requeue=requeue)" in source


def test_a_run_is_handed_over_by_the_method_before_which_we_ask() -> None:
    module: Any = celery_request
    controller: Any = WorkController
    source = inspect.getsource(module.create_request_cls)
    assert "class Request(base):" in source
    assert "def execute_using_pool(self, pool, **kwargs):" in source
    assert "raise TaskRevokedError(task_id)" in source
    assert "except TaskRevokedError:" in inspect.getsource(controller._process_task)
