"""Clients of redis-py for every address that :class:`celery_nexus.connection.broker_url.BrokerUrl` knows."""

from __future__ import annotations

from typing import Any

import redis

from celery_nexus.connection import silence
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.sentinels import Sentinels

_CLASSES = {"redis": silence.TcpConnection, "rediss": silence.TlsConnection}


def open_redis(url: str, **options: Any) -> redis.Redis:
    """Make a client; it connects at first use. With Sentinels, each new connection asks them who leads.

    Args:
        url: Address, as :attr:`BrokerUrl.redis_py` spells it.
        **options: Of ``redis.Redis``: time limits, retries, decoding.
    """
    scheme = url.partition("://")[0]
    if scheme in _CLASSES:
        return redis.Redis.from_url(url, connection_class=_CLASSES[scheme], **options)
    if scheme != "sentinel":
        return redis.Redis.from_url(url, **options)
    address = BrokerUrl.parse(url)
    sentinels = Sentinels(address.sentinels, sentinel_kwargs=address.sentinel_login)
    login: dict[str, Any] = {"db": address.database, "username": address.username, "password": address.password}
    tls = address.tls
    login |= {"connection_class": silence.SentinelTlsConnection if tls else silence.SentinelConnection, **tls}
    client: redis.Redis = sentinels.master_for(str(address.master_name), **login, **options)
    return client
