"""``nexus-tui metrics`` of a stranger's application, read by a real Prometheus."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness.places import ROOT
from tests.harness.ports import free_port
from tests.harness.programs import program
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop

NEXUS = str(Path(sys.executable).parent / "nexus-tui")
MONITORING = ROOT / "docs" / "monitoring"


def fetch(url: str) -> str:
    """Read a page of this machine."""
    with urllib.request.urlopen(url, timeout=30) as page:
        return str(page.read().decode())


@dataclass
class Prometheus:
    """A real Prometheus that scrapes a shop's metrics every second."""

    shop: Shop
    url: str
    metrics: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask; a question that is wrong fails."""
        words = urllib.parse.urlencode({"query": expression})
        answer = json.loads(fetch(f"{self.url}/api/v1/query?{words}"))
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def until(self, expression: str) -> float:
        """Wait until there is an answer, and return its first value."""
        return float(wait_until(lambda: self.query(expression), expression)[0]["value"][1])


@pytest.fixture(scope="module")
def prometheus(open_shop: Callable[..., Shop], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    binary = program("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    shop = open_shop({"result_backend": None}, "-Q", "celery", "-E")
    shop.start()
    served, port = free_port(), free_port()
    configuration = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(MONITORING / "alerts.yaml")]
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{served}"]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    options = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    commands = [
        [NEXUS, "-b", shop.url, "metrics", "--serve", str(served)],
        [binary, *options, f"--web.listen-address=127.0.0.1:{port}"],
    ]
    with (folder / "log").open("wb") as log:
        started = [subprocess.Popen(words, stdout=log, stderr=log, env=dict(os.environ)) for words in commands]
    try:
        made = Prometheus(shop, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{served}/metrics")
        wait_until(lambda: shop.is_ready, "its worker is ready")
        wait_until(lambda: _is_up(made), f"Prometheus answers:\n{(folder / 'log').read_text()}")
        yield made
    finally:
        for process in started:
            process.terminate()
        codes = [process.wait(30) for process in started]
    assert codes[0] == 0, (folder / "log").read_text()


def _is_up(made: Prometheus) -> bool:
    try:
        return bool(made.query("nexus_broker_up == 1"))
    except OSError:
        return False


def test_the_workers_verdict_and_the_runs_are_in_prometheus(prometheus: Prometheus) -> None:
    shop = prometheus.shop
    assert prometheus.until(f'nexus_worker_verdict{{worker="{shop.name}",verdict="healthy"}}') == 1
    prometheus.until("nexus_history_up == 1")
    for number in range(3):
        shop.send("shop.add", (number, 1))
    shop.send("shop.fail", (1,))
    assert prometheus.until('nexus_task_runs_total{task="shop.add",state="success"} == 3') == 3
    assert prometheus.until('nexus_task_runs_total{task="shop.fail",state="failure"} == 1') == 1
    assert prometheus.until('sum(nexus_task_run_seconds_count{task="shop.add"})') == 3


def test_what_waits_without_a_worker_is_counted_and_raises_an_alert(prometheus: Prometheus) -> None:
    prometheus.shop.send("shop.add", queue="nobody")
    assert prometheus.until('nexus_queue_waiting_messages{queue="nobody"} == 1') == 1
    assert prometheus.until('nexus_queue_backlog_messages{queue="nobody"} == 1') == 1
    prometheus.until('ALERTS{alertname="CeleryQueueWithoutConsumer",queue="nobody"}')


def test_the_backlog_counts_what_workers_hold(prometheus: Prometheus) -> None:
    shop = prometheus.shop
    for _ in range(4):
        shop.send("shop.nap", (4,), acks_late=True)
    assert prometheus.until('nexus_queue_backlog_messages{queue="celery"} >= 2') >= 2
    wait_until(lambda: shop.runs().count("nap 4") == 4, "all ran")


def expressions() -> dict[str, str]:
    """Every question in dashboard, alert rules and scalers, by where it stands."""
    found: dict[str, str] = {}
    for panel in json.loads((MONITORING / "grafana.json").read_text())["panels"]:
        for target in panel["targets"]:
            asked = re.sub(r"\$(instance|queue|task)\b", ".*", target["expr"]).replace("$__rate_interval", "1m")
            found[f"{panel['title']} {target['refId']}"] = asked
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]:
        found |= {rule["alert"]: rule["expr"] for rule in group["rules"]}
    for trigger in yaml.safe_load((MONITORING / "keda.yaml").read_text())["spec"]["triggers"]:
        found[f"keda {trigger['metadata']['threshold']}"] = trigger["metadata"]["query"]
    for metric in yaml.safe_load((MONITORING / "hpa.yaml").read_text())["spec"]["metrics"]:
        found[f"hpa {metric['external']['metric']['name']}"] = metric["external"]["metric"]["name"]
    return found


@pytest.mark.parametrize("place", expressions())
def test_dashboard_alerts_and_scalers_ask_what_prometheus_understands(prometheus: Prometheus, place: str) -> None:
    prometheus.query(expressions()[place])


def test_dashboard_alerts_and_scalers_name_metrics_that_there_are() -> None:
    page = (MONITORING / "README.md").read_text()
    source = "".join(path.read_text() for path in (ROOT / "celery_nexus" / "metrics").glob("*.py"))
    asked = set(re.findall(r"nexus_\w+", " ".join(expressions().values())))
    bare = {re.sub(r"_(bucket|count|sum|total)$", "", name).removeprefix("nexus_") for name in asked}
    assert {name for name in bare if name not in source} == set()
    assert {name for name in bare if name.rpartition("_")[0].partition("_")[0] not in page} == set()


def test_promtool_finds_nothing_wrong_with_metrics_and_rules(prometheus: Prometheus) -> None:
    promtool = program("promtool", "prometheus")
    text = fetch(prometheus.metrics)
    for words in (["check", "metrics"], ["check", "rules", str(MONITORING / "alerts.yaml")]):
        done = subprocess.run([promtool, *words], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_a_broker_that_hangs_is_told_in_time_and_comes_back(prometheus: Prometheus) -> None:
    prometheus.shop.redis.execute_command("CLIENT", "PAUSE", "9000", "ALL")
    assert "nexus_broker_up 0.0\n" in fetch(prometheus.metrics)
    assert prometheus.until("nexus_broker_up == 1") == 1
