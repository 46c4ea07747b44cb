"""The built wheel in a Django site outside the checkout: installed in one line, looked at, killed in the middle."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.harness.terminal import Screen
from tests.harness.waiting import wait_until
from tests.harness.wheels import Environment
from tests.integration.wheel.outside import Outside
from tests.integration.wheel.site_files import FILES, PUBLISH, SETTINGS

ORDERS = {str(number) for number in range(200)}
WORKER = ("celery", "-A", "proj")


@pytest.fixture(scope="module")
def site(with_celery: Environment, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """The site, its recorder, and its worker, which was killed in the middle of 200 tasks and started again."""
    variables = {"SHOP_BROKER": f"{redis_url}?virtual_host=0", "SHOP_RESULTS": "django-db"}
    site = Outside(with_celery, tmp_path_factory.mktemp("projects") / "site", {}, variables)
    try:
        site.done("django-admin", "startproject", "proj", ".")
        site.done("python", "manage.py", "startapp", "shop")
        site.write({**FILES, "proj/settings.py": (site.folder / "proj/settings.py").read_text() + SETTINGS})
        site.done("python", "manage.py", "migrate", "-v0")
        site.start("python", "-m", "celery_nexus.history.recorder", "-A", "proj", log="recorder.log")
        worker = site.worker("one", *WORKER)
        site.done("python", "manage.py", "shell", "-v0", "-c", PUBLISH)
        wait_until(lambda: len(charged(site)) >= 50)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(20)
        assert len(charged(site)) < 200, "it was not killed in the middle"
        site.worker("one", *WORKER)
        yield site
    finally:
        site.stop()


def charged(site: Outside) -> Counter[str]:
    """How often each order was charged."""
    return Counter(site.log("charged").split())


def test_of_200_tasks_none_is_lost_by_a_killed_worker(site: Outside) -> None:
    wait_until(lambda: charged(site).keys() >= ORDERS, timeout_s=60)
    again = [order for order, count in charged(site).items() if count > 1]
    assert len(again) <= 2, "more than what ran in two children ran again"


def test_the_dashboards_commands_show_the_queue_the_worker_and_the_runs(site: Outside) -> None:
    wait_until(lambda: succeeded(site) >= ORDERS, timeout_s=60)
    assert "celery " in site.done("nexus-tui", "-A", "proj", "queues")
    assert " healthy " in site.done("nexus-tui", "-A", "proj", "workers")


def succeeded(site: Outside) -> set[str]:
    """The orders whose runs the history says to have succeeded."""
    rows = json.loads(site.done("nexus-tui", "-A", "proj", "tasks", "state:success", "--limit", "500", "--json"))
    return {str(row["args"][0]) for row in rows if row["args"]}


def test_a_task_is_submitted_by_its_signature_and_its_result_comes_from_djangos_database(site: Outside) -> None:
    told = site.done("nexus-tui", "-A", "proj", "submit", "--list", "charge")
    assert "shop.tasks.charge → celery\nCharge an order." in told
    submitted = ("nexus-tui", "-A", "proj", "submit", "charge", "--kwargs")
    said = json.loads(site.done(*submitted, '{"number": 5000}', "--wait", "--timeout", "30", "--json"))
    assert (said["task"], said["state"], said["result"]) == ("shop.tasks.charge", "SUCCESS", 1000)
    wrong = site.run(*submitted, '{"order": 1}')
    assert (wrong.returncode, "it takes (number, seconds=0.0)" in wrong.stderr) == (2, True)


def test_celerys_own_command_opens_the_dashboard(site: Outside) -> None:
    celery = str(site.environment.folder / "bin" / "celery")
    with Screen([celery, "-A", "proj", "nexus"], site.variables, folder=site.folder) as screen:
        screen.shows(r"1/1 workers", r"\bcelery\b")
        screen.type("3")
        screen.shows(r"shop\.tasks\.charge")
        screen.type("q")
        assert screen.ended() == 0


def test_an_application_that_keeps_no_results_is_said_to_and_not_waited_for(site: Outside) -> None:
    none = {"SHOP_RESULTS": "disabled://"}
    said = site.run("nexus-tui", "-A", "proj", "submit", "charge", "--args", "[1]", "--wait", **none)
    assert said.returncode == 1
    assert said.stderr.endswith(
        " was queued; its end can't be waited for: the application keeps no results (result_backend)\n"
    )


def test_a_result_that_workers_send_back_to_who_submitted_is_waited_for(site: Outside) -> None:
    sent_back = {"SHOP_RESULTS": "rpc://", "SHOP_QUEUE": "sent_back"}
    site.worker("sent_back", *WORKER, **sent_back)
    said = site.done("nexus-tui", "-A", "proj", "submit", "charge", "--args", "[7]", "--wait", "--json", **sent_back)
    assert json.loads(said)["result"] == 7
