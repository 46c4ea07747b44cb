"""Clients of redis-py for every address that :class:`config.broker_url.BrokerUrl` knows."""

from __future__ import annotations

from typing import Any

import redis
from redis.sentinel import Sentinel

from config.broker_url import BrokerUrl


def open_redis(url: str, **options: Any) -> redis.Redis:
    """Make a client; it connects at first use. With Sentinels, each new connection asks them who leads.

    Args:
        url: Address, as :attr:`BrokerUrl.redis_py` spells it.
        **options: Of ``redis.Redis``: time limits, retries, decoding.
    """
    if not url.startswith("sentinel://"):
        return redis.Redis.from_url(url, **options)
    address = BrokerUrl.parse(url)
    sentinel = Sentinel(address.sentinels, sentinel_kwargs=address.sentinel_login)
    login: dict[str, Any] = {"db": address.database, "username": address.username, "password": address.password}
    client: redis.Redis = sentinel.master_for(str(address.master_name), **login, **options)
    return client
