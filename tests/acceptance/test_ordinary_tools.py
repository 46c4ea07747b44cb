"""Tools that know nothing of Nexus: the celery command, plain clients, supervisorctl, Flower."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stack import BIN, ROOT, RunningStack, plain_client, run, until

NODES = {f"{family}@{socket.gethostname()}" for family in ("email", "files", "ai", "reports", "default")}
PING = "workers.maintenance_tasks.health_check"


@pytest.mark.parametrize("question", ["active", "registered", "stats"])
def test_celery_inspect_hears_every_worker(stack: RunningStack, question: str) -> None:
    answer = stack.celery("inspect", "--json", "--timeout", "5", question)
    assert answer.code == 0, answer.err
    assert set(json.loads(answer.out.splitlines()[-1])) == NODES


def test_celery_call_and_send_task_get_priority_five(stack: RunningStack) -> None:
    assert stack.nexus("stop", "workers:default", "--yes").code == 0
    try:
        called = stack.celery("call", PING)
        assert called.code == 0, called.err
        queue = stack.nexus("queues", "default_queue", "--json").json
        assert {message["priority"] for message in queue["messages"] if message["id"] == called.out.strip()} == {5}
    finally:
        assert stack.nexus("start", "workers:default", "--yes").code == 0


def test_a_plain_celery_client_sends_a_task_and_reads_its_result(stack: RunningStack) -> None:
    url = kombu_url(stack)
    sent = plain_client(
        url,
        "from celery import Celery\n"
        "app = Celery(broker=URL, backend=URL)\n"
        f"print(app.send_task({PING!r}, queue='default_queue').get(timeout=30)['verdict'])",
    )
    assert sent.code == 0, sent.err
    assert sent.out.strip() in ("ok", "warning", "failed")


def test_a_worker_started_by_hand_takes_its_queues_work(stack: RunningStack) -> None:
    assert stack.nexus("stop", "workers:default", "--yes").code == 0
    command = [str(BIN / "celery"), "-A", "config.celery_config", "worker", "-Q", "default_queue", "-n", "byhand@%h"]
    log = (stack.home / "byhand.log").open("wb")
    worker = subprocess.Popen(command, cwd=ROOT, env=stack.environment, stdout=log, stderr=log)
    try:
        done = stack.nexus("submit", PING, "--wait", "--json", "--timeout", "60")
        assert done.json["state"] == "SUCCESS", done.err
        run_id = done.json["id"]
        worker_name = until(lambda: (r := stack.nexus("task", run_id, "--json")).code == 0 and r.json["worker"])
        assert worker_name == f"byhand@{socket.gethostname()}"
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(40)
        log.close()
        assert stack.nexus("start", "workers:default", "--yes").code == 0


@pytest.mark.parametrize("folder", [Path("/"), ROOT], ids=["from the root folder", "from the checkout"])
def test_supervisorctl_with_the_committed_file_means_this_stack(stack: RunningStack, folder: Path) -> None:
    conf = str(ROOT / "supervisor.conf") if folder == Path("/") else "supervisor.conf"
    status = run(stack.home, "supervisorctl", "-c", conf, "status", folder=folder)
    assert "workers:ai" in status.out
    restarted = run(stack.home, "supervisorctl", "-c", conf, "restart", "workers:ai", folder=folder)
    assert restarted.out.splitlines() == ["workers:ai: stopped", "workers:ai: started"]


def test_flower_shows_our_workers_and_a_run(stack: RunningStack) -> None:
    port = free_port()
    with flower(stack, port):
        until(lambda: set(ask(port, "workers?refresh=1") or ()) >= NODES, timeout_s=60, every_s=1)
        # Flower enables task events while it starts: of a run before, or just then, it can't know everything.
        until(lambda: seen_by_flower(stack, port) == (PING, "SUCCESS"))


def test_nothing_of_the_stack_listens_on_the_network(stack: RunningStack) -> None:
    import psutil

    supervisord = psutil.Process(int((stack.home / "run" / "supervisord.pid").read_text()))
    processes = [supervisord, *supervisord.children(recursive=True)]
    listening = [c for process in processes for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening == []


@contextmanager
def flower(stack: RunningStack, port: int) -> Generator[None]:
    command = [str(BIN / "celery"), "-A", "config.celery_config", "flower", "--address=127.0.0.1", f"--port={port}"]
    environment = {**stack.environment, "FLOWER_UNAUTHENTICATED_API": "true"}
    with (stack.home / "flower.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()  # asked to end, it may wait for its own threads
            process.wait()


def seen_by_flower(stack: RunningStack, port: int) -> tuple[str, str] | None:
    """Run a task; return its name and state as Flower has them a second later."""
    run_id = stack.nexus("submit", PING, "--wait", "--json").json["id"]
    time.sleep(1)
    task = ask(port, f"task/info/{run_id}")
    return None if task is None else (task["name"], task["state"])


def kombu_url(stack: RunningStack) -> str:
    code = "from config.settings import settings; print(settings().broker.kombu)"
    return run(stack.home, "python", "-c", code, folder=ROOT).out.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str) -> dict | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=10) as reply:
            return json.load(reply)
    except OSError:
        return None
