"""A Django project whose schedule is in its database, as its owner sees it on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.harness.places import ROOT
from tests.harness.waiting import wait_until

DATABASE = 63

FILES = {
    "manage.py": "import sys\nfrom django.core.management import execute_from_command_line\n\nimport proj\n\n"
    "execute_from_command_line(sys.argv)\n",
    "proj/__init__.py": "from proj.celery import app as celery_app\n",
    "proj/celery.py": """\
import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")
app = Celery("proj")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(name="proj.tick")
def tick(number=0, password=None):
    return number
""",
    "proj/settings.py": """\
import os
from pathlib import Path

SECRET_KEY = "not one"
TIME_ZONE = "UTC"
USE_TZ = True
INSTALLED_APPS = ["django_celery_beat"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).with_name("db.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
CELERY_BROKER_URL = os.environ["PROJ_BROKER"]
CELERY_TIMEZONE = "Europe/Berlin"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {"tick": {"task": "proj.tick", "schedule": 1.0, "options": {"queue": "idle"}}}
""",
    "entries.py": """\
from datetime import datetime, timezone

import django
import proj

django.setup()

from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

late = ClockedSchedule.objects.create(clocked_time=datetime(2090, 6, 1, 12, tzinfo=timezone.utc))
nightly = CrontabSchedule.objects.create(minute="5", hour="3", timezone="Asia/Tokyo")
broken = CrontabSchedule.objects.create(minute="99")
daily = IntervalSchedule.objects.create(every=1, period="days")
sunset = SolarSchedule.objects.create(event="sunset", latitude="52.5", longitude="13.4")
PeriodicTask.objects.create(name="once", task="proj.tick", clocked=late, one_off=True)
PeriodicTask.objects.create(name="nightly", task="proj.tick", crontab=nightly, kwargs='{"password": "hunter2"}')
PeriodicTask.objects.create(name="off", task="proj.tick", interval=daily, enabled=False)
PeriodicTask.objects.create(name="sunset", task="proj.tick", solar=sunset, args="[1")
PeriodicTask.objects.create(name="broken", task="proj.tick", crontab=broken, enabled=False)
""",
}


@dataclass
class Project:
    """A project in a folder, its broker and its environment."""

    folder: Path
    environment: dict[str, str]
    redis: Any

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)

    def python(self, *words: str) -> None:
        done = self.run(sys.executable, *words)
        assert done.returncode == 0, done.stderr

    def nexus(self, *words: str) -> Any:
        done = self.run(sys.executable, "-m", "nexus_tui", "-A", "proj", "schedule", *words, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def entries(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.nexus()["entries"]}


@pytest.fixture(scope="module")
def project(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("django")
    (folder / "proj").mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    socket = str(server / "s")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NEXUS_")}
    environment |= {"PYTHONPATH": str(ROOT), "PROJ_BROKER": f"redis+socket://{socket}?virtual_host={DATABASE}"}
    with redis.Redis(unix_socket_path=socket, db=DATABASE) as client:
        yield Project(folder, environment, client)


def test_tables_that_were_never_made_are_told(project: Project) -> None:
    found = project.nexus()
    assert [row["source"] for row in found["entries"]] == ["beat_schedule"]
    (problem,) = found["problems"]
    assert "no such table: django_celery_beat_periodictask" in problem
    assert problem.endswith("when they were never made: python manage.py migrate django_celery_beat")


def test_the_schedule_in_the_database_is_read_and_changed(project: Project) -> None:
    project.python("manage.py", "migrate", "--verbosity", "0")
    project.python("entries.py")
    with (project.folder / "beat.log").open("wb") as log:
        beat = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "proj", "beat", "-l", "INFO", "--pidfile="],
            cwd=project.folder,
            env=project.environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: project.redis.llen("idle") > 2, "beat sends what is in the settings")
        found = project.entries()
        assert {name: row["spec"] for name, row in found.items() if name != "celery.backend_cleanup"} == {
            "tick": "every second",
            "once": "once at 2090-06-01T12:00:00+00:00",
            "nightly": "at 03:05, Asia/Tokyo",
            "off": "every day",
            "sunset": "at sunset at latitude 52.5, longitude 13.4",
            "broken": "?",
        }
        assert {row["source"] for row in found.values()} == {"django-celery-beat"}
        assert (found["nightly"]["kwargs"], found["off"]["next"]) == ({"password": "***"}, "paused")
        assert found["broken"]["problem"].startswith("its schedule can't be used: ")
        assert found["sunset"]["problem"].startswith("its arguments are no JSON")

        due = datetime.fromisoformat(found["nightly"]["next_at"])
        (told,) = project.nexus("skip", "nightly", "--yes")
        assert told["message"] == f"skipped {due.astimezone().isoformat()}"
        assert project.entries()["nightly"]["next_at"] == (due + timedelta(days=1)).isoformat()

        assert [row["message"] for row in project.nexus("pause", "tick", "--yes")] == ["paused"]
        log_text = project.folder / "beat.log"
        wait_until(lambda: "Schedule changed" in log_text.read_text().rpartition("Sending due task")[2], "beat knows")
        sent = project.redis.llen("idle")
        (told,) = project.nexus("run", "tick", "--yes")
        assert told["message"].startswith("queued in idle as ")
        assert project.redis.llen("idle") == sent + 1
        assert [row["message"] for row in project.nexus("resume", "tick", "--yes")] == ["resumed"]
        wait_until(lambda: project.redis.llen("idle") > sent + 1, "it is sent again")
    finally:
        beat.terminate()
        beat.wait(30)
