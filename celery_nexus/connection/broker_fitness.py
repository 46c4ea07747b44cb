"""Fitness of a server as a broker, checked before anything fails for it."""

from __future__ import annotations

import redis
from redis.exceptions import NoPermissionError

from celery_nexus.connection.other_brokers import IS_CLUSTER

NO_SCRIPTS = (
    "its user may not run scripts, which reliable delivery needs: ACL SETUSER {user} +eval +evalsha; or do without: "
    "install(app, delivery=False), in our own stack NEXUS_DELIVERY=stock"
)


def is_cluster(client: redis.Redis) -> bool:
    """Tell whether a server is a node of a Redis Cluster; False when its user may not ask.

    Raises:
        RedisError: It does not answer.
    """
    try:
        return bool(client.info("cluster").get("cluster_enabled"))
    except NoPermissionError:
        return False


def find_unfitness(client: redis.Redis, user: str | None) -> str | None:
    """Say why a server can't be the broker; None when it can, or when its user may not ask.

    Args:
        client: Connection to it.
        user: Who asks, by the name of the ACL; None for the default user.

    Raises:
        RedisError: It does not answer.
    """
    if is_cluster(client):
        return IS_CLUSTER
    try:
        client.eval("return 1", 0)
    except NoPermissionError:
        return NO_SCRIPTS.format(user=user or "default")
    return None
