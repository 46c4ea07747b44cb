"""Paid answers in a real Redis."""

from __future__ import annotations

from uuid import uuid4

import pytest
import redis

from celery_nexus.task_errors import TransientError
from tests.harness.servers import Broker
from workers.services.llm.kept import KEEP_S, KEY_PREFIX, KeptInRedis


def test_an_answer_is_there_for_another_run_of_the_same_task_and_for_no_other(broker: Broker):
    task_id = uuid4().hex
    KeptInRedis(broker.url, task_id).put("0:abc", {"content": "Grüße"})
    assert KeptInRedis(broker.url, task_id).get("0:abc") == {"content": "Grüße"}
    assert KeptInRedis(broker.url, uuid4().hex).get("0:abc") is None


def test_a_question_is_claimed_once_until_it_is_released(broker: Broker):
    kept = KeptInRedis(broker.url, uuid4().hex)
    assert [kept.claim("0"), kept.claim("0")] == [True, False]
    kept.release("0")
    assert kept.claim("0")


def test_answers_go_away_by_themselves(broker: Broker):
    task_id = uuid4().hex
    KeptInRedis(broker.url, task_id).claim("0")
    left_s = redis.Redis.from_url(broker.url).ttl(KEY_PREFIX + task_id)
    assert KEEP_S - 60 < left_s <= KEEP_S


def test_a_broker_that_is_away_is_transient():
    with pytest.raises(TransientError):
        KeptInRedis("redis://127.0.0.1:9/0", "t").get("0")
