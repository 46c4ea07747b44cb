"""Tools that know nothing of Nexus: the celery command, plain clients, supervisorctl, Flower."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.places import BIN, ROOT
from tests.harness.stack import RunningStack, plain_client, run
from tests.harness.waiting import wait_until

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
        worker_name = wait_until(lambda: (r := stack.nexus("task", run_id, "--json")).code == 0 and r.json["worker"])
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


def test_a_client_that_knows_the_address_alone_asks_and_steers_our_workers(stack: RunningStack) -> None:
    errors = errors_of(stack)
    asked = plain_client(
        kombu_url(stack),
        "import json; from celery import Celery\n"
        "app = Celery(broker=URL)\n"
        f"asked = app.control.inspect(timeout=5, limit={len(NODES)})\n"
        f"while len(asked.ping() or ()) < {len(NODES)}: pass\n"  # one that was restarted just now hears nothing yet
        "told = {name: sorted(getattr(asked, name)() or ()) for name in ('ping', 'active', 'active_queues', 'stats')}\n"
        f"told['rate'] = app.control.rate_limit({PING!r}, '0', reply=True, timeout=5, limit={len(NODES)})\n"
        "print(json.dumps(told))",
    )
    assert asked.code == 0, asked.err
    told = json.loads(asked.out)
    assert all(set(told[name]) == NODES for name in ("ping", "active", "active_queues", "stats"))
    assert {name for answer in told["rate"] for name in answer} == NODES
    by_url = run(stack.home, "celery", "-b", kombu_url(stack), "inspect", "ping", "--timeout", "5", folder=Path("/"))
    assert (by_url.code, f"{len(NODES)} nodes online" in by_url.out) == (0, True), by_url.err
    assert errors_of(stack) == errors


def test_what_a_client_that_knows_the_address_alone_sends_is_seen_and_runs_in_the_order_of_its_priorities(
    stack: RunningStack,
) -> None:
    errors = errors_of(stack)
    assert stack.nexus("stop", "workers:default", "--yes").code == 0
    try:
        sent = plain_client(
            kombu_url(stack),
            "from celery import Celery\n"
            "app = Celery(broker=URL, backend=URL)\n"
            f"send = lambda n: app.send_task({PING!r}, queue='default_queue', priority=n).id\n"
            "print(*(send(n) for n in reversed(range(10))))",
        )
        assert sent.code == 0, sent.err
        queue = stack.nexus("queues", "default_queue", "--json").json
        ids = sent.out.split()
        listed = [message for message in queue["messages"] if message["id"] in ids]  # beside what beat sends
        assert [message["id"] for message in listed] == [ids[9 - n] for n in (2, 1, 0, 5, 4, 3, 8, 7, 6, 9)]
        # kombu's steps without options: 0, 3, 6, 9
        assert [message["priority"] for message in listed] == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9]
        others = Counter(message["priority"] for message in queue["messages"] if message["id"] not in ids)
        assert [n - others[p] for p, n in enumerate(queue["by_priority"])] == [3, 0, 0, 3, 0, 0, 3, 0, 0, 1]
        lists = next(row for row in stack.nexus("doctor", "--json").json["findings"] if row["kind"] == "lists")
        assert lists["severity"] == "well"
    finally:
        assert stack.nexus("start", "workers:default", "--yes").code == 0
    for run_id in ids:
        wait_until(lambda run_id=run_id: stack.nexus("task", run_id, "--json").json["state"] == "SUCCESS")
    assert errors_of(stack) == errors


def test_flower_that_knows_the_address_alone_sees_our_workers(stack: RunningStack) -> None:
    errors, port = errors_of(stack), free_port()
    with flower(stack, port, "-b", kombu_url(stack)):
        wait_until(lambda: set(ask(port, "workers?refresh=1") or ()) >= NODES, timeout_s=60, every_s=1)
    assert errors_of(stack) == errors


def test_flower_shows_our_workers_and_a_run(stack: RunningStack) -> None:
    port = free_port()
    with flower(stack, port):
        wait_until(lambda: set(ask(port, "workers?refresh=1") or ()) >= NODES, timeout_s=60, every_s=1)
        # Flower enables task events while it starts: of a run before, or just then, it can't know everything.
        wait_until(lambda: seen_by_flower(stack, port) == (PING, "SUCCESS"))


def test_nothing_of_the_stack_listens_on_the_network(stack: RunningStack) -> None:
    import psutil

    supervisord = psutil.Process(int((stack.home / "run" / "supervisord.pid").read_text()))
    processes = [supervisord, *supervisord.children(recursive=True)]
    listening = [c for process in processes for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening == []


@contextmanager
def flower(stack: RunningStack, port: int, *application: str) -> Generator[None]:
    chosen = application or ("-A", "config.celery_config")
    command = [str(BIN / "celery"), *chosen, "flower", "--address=127.0.0.1", f"--port={port}"]
    environment = {**stack.environment, "FLOWER_UNAUTHENTICATED_API": "true"}
    folder = Path("/") if application else ROOT
    with (stack.home / "flower.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
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


def errors_of(stack: RunningStack) -> list[str]:
    """Lines of the workers' logs that say ERROR or CRITICAL, or begin a traceback."""
    words = ("ERROR", "CRITICAL", "Traceback")
    logs = sorted((stack.home / "log").glob("*.log"))
    lines = [line for log in logs for line in log.read_text("utf-8", "replace").splitlines()]
    return [line for line in lines if any(word in line for word in words)]


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
