"""The stack's life: started, found again, broken, stopped."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from tests.harness.places import BIN
from tests.harness.stack import RunningStack, run


def test_a_second_up_attaches(stack: RunningStack) -> None:
    again = stack.nexus("up", "--detach", "--json")
    assert again.code == 0, again.err
    assert again.json[0] == {"name": "supervisord", "what": "runs already"}


def test_a_command_goes_on_when_its_reader_is_gone(stack: RunningStack) -> None:
    command = f"{BIN / 'nexus-tui'} up --detach | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], env=stack.environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["✓", "supervisord", "runs", "already"]


def test_status_says_that_all_is_well(stack: RunningStack) -> None:
    status = stack.nexus("status", "--json")
    assert status.code == 0, status.out
    assert status.json["healthy"] is True
    assert {row["state"] for row in status.json["programs"]} == {"RUNNING"}


def test_the_dashboard_without_a_terminal_names_the_plain_command(stack: RunningStack) -> None:
    refused = stack.nexus()
    assert refused.code == 2
    assert refused.err.strip().splitlines() == [
        "nexus-tui: the dashboard can't be drawn: this is no terminal; plain commands work: nexus-tui status, "
        "nexus-tui --help"
    ]


def test_an_unreachable_redis_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    refused = run(
        tmp_path, "nexus-tui", "up", "--detach", variables={"NEXUS_REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"}
    )
    assert refused.code == 3
    assert "redis://:***@127.0.0.1:1/0" in refused.err
    assert "hunter2" not in refused.err
    assert not (tmp_path / "run" / "supervisord.pid").exists()


def test_a_url_that_is_no_redis_is_a_usage_error(tmp_path: Path) -> None:
    refused = run(tmp_path, "nexus-tui", "queues", "--json", variables={"NEXUS_REDIS_URL": "amqp://guest@localhost"})
    assert (refused.code, refused.out) == (2, "")
    assert "NEXUS_REDIS_URL: scheme 'amqp' is not Redis" in refused.err


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = run(tmp_path, "nexus-tui", "up", "--detach", variables={"NEXUS_HOME": str(tmp_path / "file")})
    assert refused.code == 1
    assert str(tmp_path / "file") in refused.err
    assert "set NEXUS_HOME" in refused.err


def test_down_with_nothing_running_says_so(tmp_path: Path) -> None:
    nothing = run(tmp_path, "nexus-tui", "down")
    assert nothing.code == 0
    assert "nothing to stop" in nothing.out


def test_commands_with_no_broker_say_what_to_start(tmp_path: Path) -> None:
    refused = run(tmp_path, "nexus-tui", "queues", "--json")
    assert (refused.code, refused.out) == (3, "")
    assert len(refused.err.strip().splitlines()) == 1


def test_a_long_home_a_stale_socket_and_a_stale_pid_do_not_stop_a_start(tmp_path: Path) -> None:
    home = tmp_path / ("h" * 100)
    assert run(tmp_path, "nexus-tui", "config", "--json", variables={"NEXUS_HOME": str(home)}).code == 0
    code = "from config.settings import settings; print(settings().paths.run)"
    run_folder = run(tmp_path, "python", "-c", code, variables={"NEXUS_HOME": str(home)}).out.strip()
    Path(run_folder).mkdir(parents=True)
    leave_stale_socket(Path(run_folder) / "broker.sock")
    leave_stale_socket(Path(run_folder) / "supervisor.sock")
    (Path(run_folder) / "supervisord.pid").write_text("999999\n")
    try:
        up = run(home, "nexus-tui", "up", "--detach", timeout_s=180)
        assert up.code == 0, up.err
        assert run_folder in up.out
        assert run(home, "nexus-tui", "queues", "--json").code == 0
    finally:
        run(home, "nexus-tui", "down", timeout_s=120)


def test_a_program_that_cannot_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "appendonlydir").write_text("a file where the server wants a folder")
    try:
        failed = run(tmp_path, "nexus-tui", "up", "--detach", timeout_s=120)
        assert failed.code == 1
        assert "broker does not stay up" in failed.err
        assert "appendonlydir" in failed.err
    finally:
        run(tmp_path, "nexus-tui", "down", timeout_s=120)


def leave_stale_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
