"""``python -m tests.suites``: Celery's and kombu's own tests on a real broker, with stock and with reliable delivery.

Their source distributions, of the versions that are installed here, come from the package index, with what their tests
need beside pytest; both are kept below ``.suites``. Many of their tests wait for a time and not for an event: what ends
worse than on stock is run again alone, on both. What ends differently then is printed; differences that are by design
have their reason in docs/reliability.md, and any other makes the exit code 1. With arguments only those tests run:
``python -m tests.suites celery/t/integration/test_tasks.py -k retry``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from tests.harness.places import ROOT
from tests.harness.ports import free_port
from tests.harness.servers import run_server

FOLDER = ROOT / ".suites"
DELIVERIES = ("stock", "reliable")
LIMIT_S = 3600
TEST_LIMIT_S = 400
"""Of one test, unless it has its own; the longest takes two minutes on stock, on an idle machine."""

MOST_AGAIN = 40
"""Largest number of tests that are run again: more are no accident."""

NEEDED = (
    "pytest-subtests==0.14.2",
    "pytest-order==1.3.0",
    "pytest-freezer==0.4.9",
    "freezegun==1.5.5",
)
"""What their tests import beside pytest; none of it is part of the project."""

CELERY = (
    "backend_leak_in_fixture_teardown", "canvas", "events_state_memory_leak", "group_chains", "inspect", "loader",
    "mem_leak_in_exception_handling", "redis_backend", "serialization", "tasks", "worker",
)  # fmt: skip
"""Celery's integration tests of Redis and of what needs no service; others need AMQP, SQL servers or Memcached."""

BY_DESIGN = {
    "test_Inspect::test_scheduled": "delayed messages wait in the broker, and no worker holds them",
}
"""Tests that end differently on purpose, by the end of their name, with the reason."""


@dataclass(frozen=True)
class Suite:
    """Tests of one source distribution: its name, and the tests below its folder."""

    name: str
    tests: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where its source is."""
        return FOLDER / f"{self.name}-{version(self.name)}"


SUITES = (
    Suite("celery", tuple(f"t/integration/test_{name}.py" for name in CELERY)),
    Suite("kombu", ("t/integration/test_redis.py", "t/integration/test_redis_brpop_qos.py")),
)


def prepare() -> None:
    """Get the source distributions, and what their tests need, unless they are there."""
    FOLDER.mkdir(exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    for suite in SUITES:
        if not suite.folder.exists():
            wanted = f"{suite.name}=={version(suite.name)}"
            source = ["--no-deps", "--no-binary", suite.name, "--no-build-isolation", "--dest", str(FOLDER)]
            subprocess.run([*pip, "download", *source, wanted], check=True)
            with tarfile.open(suite.folder.with_name(f"{suite.folder.name}.tar.gz")) as archive:
                archive.extractall(FOLDER, filter="data")
    if not (FOLDER / "site").exists():
        subprocess.run([*pip, "install", "--no-deps", "--target", str(FOLDER / "site"), *NEEDED], check=True)


@contextmanager
def broker() -> Generator[int]:
    """Run a server on a free port of this machine alone; these tests know no unix sockets."""
    port = free_port()
    with run_server(port=port):
        yield port


def run(suite: Suite, delivery: str, tests: list[str], options: list[str]) -> dict[str, str]:
    """Run tests of a suite; return how each ended: ``passed``, ``skipped``, ``failed`` or ``error``."""
    report = FOLDER / f"{suite.name}-{delivery}.xml"
    report.unlink(missing_ok=True)
    with broker() as port:
        url = f"redis://127.0.0.1:{port}/0"
        environment = {
            **os.environ,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(FOLDER / "site"))),
            "NEXUS_REDIS_URL": url,
            "NEXUS_HOME": str(FOLDER / "home"),
            "NEXUS_DELIVERY": delivery,
            "TEST_BROKER": url,
            "TEST_BACKEND": url,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(port),
            "REDIS_6379_TCP": str(port),
        }
        plugins = ["-p", "celery.contrib.pytest", *(["-p", "tests.suites.plugin"] if delivery == "reliable" else [])]
        command = [sys.executable, "-m", "pytest", *plugins, "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
        command.append(f"--timeout={TEST_LIMIT_S}")
        with (FOLDER / f"{suite.name}-{delivery}.log").open("w") as log, suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [*command, *tests, *options],
                cwd=suite.folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                timeout=LIMIT_S,
                check=False,
            )
    if not report.exists():
        sys.exit(f"{suite.name} on {delivery} delivery did not run to its end: see {log.name}")
    return read_report(report, suite.tests)


def read_report(report: Path, files: Sequence[str]) -> dict[str, str]:
    """Return how each test of a report ended, by the name by which pytest runs it.

    Args:
        report: JUnit's XML.
        files: Where the tests are, as pytest was told.
    """
    modules = {file.removesuffix(".py").replace("/", "."): file for file in files}
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        group = case.get("classname", "")
        module = max((name for name in modules if f"{group}.".startswith(f"{name}.")), key=len, default="")
        classes = [name for name in group.removeprefix(module).split(".") if name]
        kinds = {child.tag for child in case}
        ended = "error" if "error" in kinds else "failed" if "failure" in kinds else "passed"
        name = "::".join((modules.get(module, ""), *classes, case.get("name", "")))
        found[name] = "skipped" if "skipped" in kinds else ended
    return found


def find_worse(stock: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    """List the tests that pass on stock and not on ours, without those that differ by design."""
    return [name for name, ended in ours.items() if stock.get(name) == "passed" != ended and not reason_of(name)]


def reason_of(name: str) -> str:
    """Say why a test ends differently by design; empty when it should not."""
    return next((why for end, why in BY_DESIGN.items() if re.sub(r"\[.*", "", name).endswith(end)), "")


def compare(suite: Suite, stock: dict[str, str], ours: dict[str, str]) -> int:
    """Print what ends differently; return how many of these have no reason."""
    counts = {name: sum(ended == "passed" for ended in side.values()) for name, side in (("s", stock), ("o", ours))}
    print(f"{suite.name} {version(suite.name)}: {len(stock)} tests; {counts['s']} pass on stock, {counts['o']} on ours")
    unexplained = 0
    for name in sorted(stock.keys() | ours.keys()):
        before, after = stock.get(name, "not run"), ours.get(name, "not run")
        if before == after:
            continue
        reason = reason_of(name)
        is_worse = before == "passed" and not reason
        unexplained += is_worse
        print(
            f"  {'✗' if is_worse else '·'} {name}: {before} on stock, {after} on ours{f': {reason}' if reason else ''}"
        )
    return unexplained


def main() -> int:
    """Run the suites, or the tests that are named."""
    prepare()
    named = [argument for argument in sys.argv[1:] if "/t/" in argument]
    options = [argument for argument in sys.argv[1:] if argument not in named]
    unexplained = 0
    for suite in SUITES:
        mine = [test.removeprefix(f"{suite.name}/") for test in named if test.startswith(f"{suite.name}/")]
        if named and not mine:
            continue
        stock, ours = (run(suite, delivery, mine or list(suite.tests), options) for delivery in DELIVERIES)
        if 0 < len(worse := find_worse(stock, ours)) <= MOST_AGAIN:
            print(f"run again: {', '.join(worse)}", flush=True)
            again = [run(suite, delivery, worse, []) for delivery in DELIVERIES]
            stock, ours = stock | again[0], ours | again[1]
        unexplained += compare(suite, stock, ours)
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
