"""Places of the files of alerts: rules as the user writes them, and what is remembered beside the history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.history.places import history_path
from celery_nexus.sources import Sources
from celery_nexus.user_files import config_folder

NAME = "alerts.toml"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of one application are.

    Attributes:
        rules: The rules file; it need not exist.
        book: What is open, and what is still to be told.
        silences: What is silenced.
        home: A folder on the disk whose room is watched.
    """

    rules: Path
    book: Path
    silences: Path
    home: Path

    def with_rules(self, rules: Path | None) -> Places:
        """Return the same with another rules file; None: as it is."""
        return self if rules is None else replace(self, rules=rules)


def find_places(sources: Sources, rules: Path | None = None) -> Places:
    """Name the files of an application.

    The rules are in the folder of its run-time files, when that has some, else among the user's settings: one file for
    all her applications.

    Args:
        sources: Of the application.
        rules: The rules file, when it was named.
    """
    history, deployment = sources.history.path, sources.deployment
    home = history.parent if deployment is None else deployment.home
    candidates = [config_folder() / NAME]
    if deployment is not None and history.parent == deployment.home and history.name == "history.db":
        candidates.insert(0, deployment.home / NAME)
    return _beside(history, home, rules or next((path for path in candidates if path.exists()), candidates[0]))


def find_places_of_broker(url: BrokerUrl, prefix: str | None, rules: Path | None = None) -> Places:
    """Name the files of an application whose broker does not answer; the arguments are those that it is opened by."""
    history = history_path(url, prefix or "")
    return _beside(history, history.parent, rules or config_folder() / NAME)


def _beside(history: Path, home: Path, rules: Path) -> Places:
    """Name the files beside a history."""
    book, silences = (history.with_name(f"{history.stem}.{name}.json") for name in ("alerts", "silences"))
    return Places(rules, book, silences, home)
