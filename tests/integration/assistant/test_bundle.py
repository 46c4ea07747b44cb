"""A support bundle of somebody's application: what helps is in it, and no secret, wherever one was put."""

from __future__ import annotations

import json
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.history.places import history_path
from tests.integration.assistant.conftest import PASSWORD, Shop

DELUXE = """
from shop import app

app.conf.update(
    stripe="canary-of-an-own-setting",
    security_key_password="canary-of-a-setting",
    result_backend_transport_options={"sentinel_kwargs": {"password": "canary-of-a-sentinel"}},
    beat_schedule={"nightly": {"task": "shop.add", "schedule": 60, "args": ("canary-of-a-schedule",)}},
    task_default_priority=4,
)
"""
CONTEXTS = '[prod]\nbroker = "redis://:canary-of-a-context@prod.example.com/0"\n'
LOG = """it began
connecting with password=canary-of-a-log
Authorization: Bearer canary.of.a.header.1234567890
the key is canary-of-the-environment, and the URL redis://:canary-of-a-url@host/0
-----BEGIN PRIVATE KEY-----
canaryofaprivatekey
-----END PRIVATE KEY-----
\x1b[2Jit ended
"""
VARIABLES = {
    "STRIPE_API_KEY": "canary-of-the-environment",
    "DATABASE_URL": "postgres://ann:canary-of-a-database@db/shop",
    "CELERY_NOTE": "canary-of-a-note",
}


class User:
    """Somebody who asks for help with her shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.file = shop.folder / "help.tar.gz"
        self.environment = shop.environment | VARIABLES

    def say(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.shop.command(*words),
            cwd=self.shop.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def parts(self) -> dict[str, str]:
        """Read the texts of the bundle, by name."""
        with tarfile.open(self.file) as archive:
            files = {row.name.partition("/")[2]: archive.extractfile(row) for row in archive}
            return {name: file.read().decode() for name, file in files.items() if file is not None}


@pytest.fixture(scope="module")
def user(recorded: Shop) -> User:
    """Her shop with secrets in settings, contexts, environment, messages, errors and logs."""
    shop, folder = recorded, recorded.folder
    (folder / "deluxe.py").write_text(DELUXE)
    (folder / "nexus").mkdir(exist_ok=True)
    (folder / "nexus" / "contexts.toml").write_text(CONTEXTS)
    made = User(shop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        log = history_path(BrokerUrl.parse(shop.url)).with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(LOG)
    return made


@pytest.fixture(scope="module")
def bundled(user: User) -> dict[str, Any]:
    """Her bundle's parts, and what was printed."""
    said = user.say("-A", "deluxe", "bundle", str(user.file))
    assert said.returncode == 0, said.stderr
    return {**user.parts(), "printed": said.stdout + said.stderr}


def test_no_secret_is_in_it_wherever_it_was_put(bundled: dict[str, str]) -> None:
    assert [(name, line) for name, text in bundled.items() for line in text.splitlines() if "canary" in line] == []
    assert not any("\x1b" in text for text in bundled.values())


def test_what_helps_is_in_it(bundled: dict[str, str]) -> None:
    assert json.loads(bundled["versions.json"])["packages"]["celery"]
    assert json.loads(bundled["application.json"])["task_default_priority"] == 4
    assert "stripe" in json.loads(bundled["application.json"])["own"]
    assert "CELERY_NOTE" in json.loads(bundled["settings.json"])["other_variables"]
    assert [row["name"] for row in json.loads(bundled["workers.json"])] == ["w@shop"]
    assert "nobody" in {row["name"] for row in json.loads(bundled["queues.json"])}
    assert json.loads(bundled["broker.json"])["layouts"][0]["steps"] == [0, 3, 6, 9]
    assert json.loads(bundled["doctor.json"])
    assert "password=***" in json.loads(bundled["failures.json"])[0]["message"]
    (log,) = [text for name, text in bundled.items() if name.startswith("logs/")]
    assert log.startswith("it began\nconnecting with password=***\n")
    assert log.endswith("␛[2Jit ended\n")


def test_its_readme_names_each_file_and_says_why_one_is_missing(bundled: dict[str, str]) -> None:
    readme = bundled["README.txt"]
    files = set(bundled) - {"README.txt", "printed"}
    assert [name for name in files if f"\n  {name} " not in readme] == []
    assert "programs.json" in readme.partition("What is missing, and why:")[2]
    assert "supervisord runs none of what is looked at" in readme


def test_it_is_its_owners_alone_and_shown_without_being_unpacked(user: User, bundled: dict[str, str]) -> None:
    assert stat.S_IMODE(user.file.stat().st_mode) == 0o600
    said = user.say("bundle", str(user.file), "--list")
    assert said.returncode == 0
    assert bundled["README.txt"].splitlines()[0] in said.stdout
    assert "queues.json" in said.stdout


def test_a_file_that_exists_stays_unless_it_is_to_be_replaced(user: User, bundled: dict[str, str]) -> None:
    before = user.file.read_bytes()
    refused = user.say("-A", "deluxe", "bundle", str(user.file))
    assert (refused.returncode, user.file.read_bytes()) == (5, before)
    assert "exists: add --force to replace it" in refused.stderr


def test_a_broker_that_does_not_answer_leaves_the_rest(user: User, tmp_path: Path) -> None:
    file = tmp_path / "away.tar.gz"
    said = user.say("-b", f"unix://:{PASSWORD}@{tmp_path}/nothing?db=0", "bundle", str(file), "--json")
    assert said.returncode == 0, said.stderr
    missing = {row["name"]: row["missing"] for row in json.loads(said.stdout)["files"]}
    assert missing["versions.json"] is None
    assert f"{tmp_path}/nothing" in missing["queues.json"]
    assert "canary" not in said.stdout
