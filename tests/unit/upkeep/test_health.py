from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from config.queues import QUEUES
from workers.services.upkeep import health, probes
from workers.services.upkeep.verdicts import Judged, find_worst


def good() -> Judged:
    return Judged("ok", "fine")


def broken() -> Judged:
    raise ZeroDivisionError("division by zero\nsecond line")


def test_a_broken_check_becomes_a_failed_one_and_the_others_still_run() -> None:
    found = health.examine({"first": good, "second": broken, "third": good})
    assert [(check.name, check.verdict, check.fact) for check in found.checks] == [
        ("first", "ok", "fine"),
        ("second", "failed", "ZeroDivisionError: division by zero"),
        ("third", "ok", "fine"),
    ]
    assert found.verdict == "failed"


def test_a_stuck_check_counts_as_failed_when_patience_ends() -> None:
    release = Event()
    found = health.examine({"stuck": lambda: Judged("ok", str(release.wait(30))), "good": good}, patience_s=0.2)
    release.set()
    assert [(check.name, check.verdict, check.fact) for check in found.checks] == [
        ("stuck", "failed", "no answer within 0.2 s"),
        ("good", "ok", "fine"),
    ]


def test_the_result_counts_verdicts_and_has_one_line_a_check() -> None:
    answer = health.examine({"a": good, "b": lambda: Judged("warning", "tight")}).as_json()
    assert answer["verdict"] == "warning"
    assert answer["stats"] == {"ok": 1, "warning": 1, "failed": 0, "checks": 2}
    assert len(answer["content"].splitlines()) == 2


def test_the_worst_verdict_of_none_is_ok() -> None:
    assert find_worst([]) == "ok"
    assert find_worst(["warning", "ok"]) == "warning"


def test_a_queue_without_a_worker_is_named() -> None:
    consumed = {"one@h": [spec.name for spec in QUEUES if spec.name != "ai_queue"]}
    assert probes.consumers(QUEUES, consumed) == Judged("failed", "no worker consumes ai_queue")
    assert probes.consumers(QUEUES, {**consumed, "ai@h": ["ai_queue"]}) == Judged("ok", "5 queues, 2 workers")


def test_a_folder_that_does_not_exist_yet_is_judged_by_the_one_above(tmp_path: Path) -> None:
    found = probes.disk([tmp_path / "a" / "b", tmp_path])
    assert found.fact.count(f"at {tmp_path}") == 1


def test_without_a_mail_server_the_outbox_is_named(tmp_path: Path) -> None:
    assert probes.smtp(None, tmp_path) == Judged("ok", f"no server set (NEXUS_SMTP_URL): mail goes to {tmp_path}")


class _Greeter(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")


class _Unauthorized(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(params=[_Greeter, _Unauthorized])
def server(request: pytest.FixtureRequest) -> Iterator[int]:
    kind = HTTPServer if request.param is _Unauthorized else socketserver.TCPServer
    with kind(("127.0.0.1", 0), request.param) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


@pytest.mark.parametrize("server", [_Greeter], indirect=True)
def test_a_mail_server_that_answers_is_ok(server: int) -> None:
    assert probes.smtp(f"smtp://127.0.0.1:{server}", Path()) == Judged("ok", f"127.0.0.1:{server} answers")


@pytest.mark.parametrize("server", [_Greeter], indirect=True)
def test_a_mail_server_without_starttls_fails_where_it_is_asked_for(server: int) -> None:
    found = probes.smtp(f"smtp+starttls://me:secret@127.0.0.1:{server}", Path())
    assert found == Judged("failed", f"127.0.0.1:{server} offers no STARTTLS")


@pytest.mark.parametrize("server", [_Unauthorized], indirect=True)
def test_any_http_status_proves_that_a_provider_is_reachable(server: int) -> None:
    assert probes.http_service(f"http://127.0.0.1:{server}/v1") == Judged("ok", "127.0.0.1 answers (HTTP 401)")


def test_a_provider_that_refuses_the_connection_fails() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _Greeter) as closed:
        port = closed.server_address[1]
    found = probes.http_service(f"http://127.0.0.1:{port}")
    assert found.verdict == "failed"
    assert "can't be reached" in found.fact
