"""The recipes of CONTRIBUTING.md do what they say."""

from __future__ import annotations

import re

from celery_nexus.catalog.own import CatalogSource
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.task_errors import InvalidArgument
from config.celery_config import celery_app
from config.queues import BY_FAMILY
from config.tables import update_readme
from tests.harness.places import ROOT
from workers.deployment import CODE

RECIPES = (ROOT / "CONTRIBUTING.md").read_text()


def test_every_file_that_a_recipe_names_exists() -> None:
    named = set(re.findall(r"`((?:config|workers|nexus_tui|tests)/[\w./]+)`", RECIPES))
    assert len(named) >= 6
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)", RECIPES + (ROOT / "README.md").read_text()))
    assert named <= targets


def test_the_recipes_task_is_registered_has_a_form_and_is_checked() -> None:
    code = re.search(r"```python\n(.*?)```", RECIPES, re.DOTALL)
    assert code is not None
    module = {"celery_app": celery_app, "BY_FAMILY": BY_FAMILY, "__name__": "workers.maintenance_tasks"}
    exec(compile(code[1], "recipe", "exec"), module)
    name = "workers.maintenance_tasks.count_words"
    try:
        task = CatalogSource(CODE, BrokerUrl.parse("redis://localhost")).task_type(name)
        assert task.queue == "default_queue"
        assert task.summary == "Count the words of a text."
        assert [(row.name, row.required, row.help) for row in task.parameters] == [
            ("text", True, "Any text."),
            ("minimum_length", False, "Shorter words are not counted."),
        ]
        assert celery_app.tasks[name]("to be or not", minimum_length=3) == {"words": 1}
        try:
            celery_app.tasks[name].apply_async(kwargs={"text": 3})
            refused = ""
        except InvalidArgument as error:
            refused = str(error)
        assert refused == "invalid_argument: text: input should be a valid string; expected text"
    finally:
        celery_app.tasks.unregister(name)


def test_the_readme_has_the_queues_of_the_registry() -> None:
    text = (ROOT / "README.md").read_text()
    assert update_readme(text) == text
