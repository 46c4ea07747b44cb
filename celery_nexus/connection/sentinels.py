"""Discovery of the primary by Sentinels, with a readable error when none knows it."""

# redis-py's Sentinel is not typed
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import Any

import redis
from redis.sentinel import MasterNotFoundError, Sentinel


class Sentinels(Sentinel):
    """redis-py's, whose own error is the inside of a client for each Sentinel."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the server that leads.

        Raises:
            MasterNotFoundError: No Sentinel names one; the message says what each of them answered.
        """
        answers: list[str] = []
        for number, sentinel in enumerate(self.sentinels):
            place = "{host}:{port}".format_map(sentinel.connection_pool.connection_kwargs)
            try:
                masters: Any = sentinel.sentinel_masters()
            except (redis.ConnectionError, redis.TimeoutError) as error:
                answers.append(f"{place} does not answer ({error})")
                continue
            state = masters.get(service_name)
            if state is None:
                answers.append(f"{place} knows no master of that name")
            elif not self.check_master_state(state, service_name):
                answers.append(f"{place} says that it is down")
            else:
                # The next question goes to the one that knew
                self.sentinels[0], self.sentinels[number] = sentinel, self.sentinels[0]
                return state["ip"], state["port"]
        raise MasterNotFoundError(f"no Sentinel names a master {service_name!r}: {', '.join(answers)}")
