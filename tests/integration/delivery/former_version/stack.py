"""Workers of a former version on a Redis, stopped in the middle, and what they leave there.

``python -m tests.integration.delivery.former_version.stack TREE`` writes ``left.json``; ``TREE`` is a folder
with the sources of that version (``git archive fb51ce5 | tar -x -C TREE``: the last one before the library).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import redis

from tests.harness.servers import run_server
from tests.harness.waiting import wait_until
from tests.integration.delivery.former_version.snapshot import Snapshot, take

HERE = Path(__file__).resolve().parent
LEFT = HERE / "left.json"
NODES = {
    "email": "email_queue",
    "files": "file_processing_queue",
    "ai": "ai_queue",
    "reports": "reports_queue",
    "default": "default_queue",
}
STOPPED = ("email", "files")
"""Workers that an operator stops; the others are killed."""

FAR_S = 60 * 365 * 86_400
NOT_LEFT = ("hold", "nexus:events", "nexus:published:", "celery-task-meta-")

PUBLISH = """
import sys
from config.celery_config import celery_app
from config.queues import QUEUES
words = sys.argv[1:]
kind, count, countdown = words[0], int(words[1]), float(words[2]) or None
names = [spec.name for spec in QUEUES]
with celery_app.producer_pool.acquire() as producer:
    for number in range(count):
        celery_app.send_task(
            "t.note", (f"{kind} {number}",), queue=names[number % len(names)], producer=producer,
            priority=number // len(names) % 10 if kind == "waiting" else 0, countdown=countdown,
        )
"""


class FormerStack:
    """The five queues' workers of a tree of sources, on a Redis of their own.

    Args:
        tree: The sources.
        home: Folder of run-time files.
        server: Unix socket of the Redis.
    """

    def __init__(self, tree: Path, home: Path, server: Path) -> None:
        self.home = home
        self.client = redis.Redis(unix_socket_path=str(server))
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
        self.environment = kept | {
            "NEXUS_HOME": str(home),
            "NEXUS_REDIS_URL": f"unix://{server}",
            "PYTHONPATH": f"{tree}:{HERE}",
            "REMAP_SIGTERM": "SIGQUIT",  # as supervisor.conf has it: what still runs goes back to its queue
        }

    def start(self, *options: str) -> None:
        """Start all workers, and wait until they are ready."""
        for node, queue in NODES.items():
            command = [sys.executable, "-m", "celery", "-A", "former_tasks", "worker", "-Q", queue, "-l", "INFO"]
            command += ["-n", f"{node}@test", "--without-gossip", "--without-mingle", *options]
            with (self.home / f"{node}.log").open("ab") as log:
                self.workers[node] = subprocess.Popen(
                    command, env=self.environment, cwd=self.home, stdout=log, stderr=log, start_new_session=True
                )
        for node in NODES:
            wait_until(lambda node=node: " ready." in (self.home / f"{node}.log").read_text(), timeout_s=90)

    def publish(self, kind: str, count: int, countdown_s: float = 0) -> None:
        """Publish messages named by their kind and number, to the queues in turn."""
        command = [sys.executable, "-c", PUBLISH, kind, str(count), str(countdown_s)]
        subprocess.run(command, env=self.environment, cwd=self.home, check=True)

    def stop(self) -> None:
        """Stop some workers as an operator does, with Supervisor's signal, and kill the others with their children."""
        for node, worker in self.workers.items():
            if node in STOPPED:
                worker.send_signal(signal.SIGTERM)
        for node, worker in self.workers.items():
            if node not in STOPPED:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(60)

    def kill(self) -> None:
        """Kill what still runs."""
        for worker in self.workers.values():
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait(20)


def fill(stack: FormerStack, *, running: int, waiting: int, delayed: int) -> None:
    """Let a stack work, and stop it in the middle.

    Args:
        stack: The stack.
        running: Messages whose runs go on when the workers are stopped; they need a child each.
        waiting: Messages behind them.
        delayed: Half of so many messages are due soon after, half in sixty years.
    """
    stack.client.set("hold", 1)
    stack.start("-c", str(running // len(NODES)))
    stack.client.lpush("default_queue", "no message")
    wait_until(lambda: stack.client.zcard("nexus:dead"))
    stack.publish("running", running)
    wait_until(lambda: len(list(stack.client.scan_iter("started:running*", count=1000))) == running, timeout_s=60)
    stack.publish("waiting", waiting)
    stack.publish("due", delayed // 2, 5)
    stack.publish("far", delayed - delayed // 2, FAR_S)
    stack.stop()


def record(tree: Path) -> Snapshot:
    """Record what a version leaves, without the machine that it ran on."""
    with run_server() as server, tempfile.TemporaryDirectory() as home:
        stack = FormerStack(tree, Path(home), server.socket)
        try:
            fill(stack, running=10, waiting=40, delayed=20)
        finally:
            stack.kill()
        text = json.dumps(take(stack.client, NOT_LEFT))
    return json.loads(
        text.replace(f"@{socket.gethostname()}", "@host").replace(f'\\"{socket.gethostname()}\\"', '\\"host\\"')
    )


if __name__ == "__main__":
    LEFT.write_text(json.dumps(record(Path(sys.argv[1]).resolve()), indent=1) + "\n")
