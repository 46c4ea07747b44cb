"""What changes the world: asked first, done on the right targets, refused in read-only mode."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from celery_nexus.actions.workers import programs
from celery_nexus.errors import Invalid, Refused, Unreachable
from celery_nexus.rows.audit import Undoable
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from nexus_tui.widgets.chrome import KeyBar
from nexus_tui.widgets.form import Field
from nexus_tui.widgets.tables.table import Table
from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, opened, screen_text, shows
from tests.tui.on_a_terminal import hostile

EMAIL_FIRST, EMAIL_SECOND = fakes.run_id(1000), fakes.run_id(1001)


async def test_revoke_asks_with_the_exact_command_and_does_it():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org")
        await pilot.press("K")
        await shows(pilot, f"$ nexus-tui revoke {EMAIL_FIRST}", "Waiting ones never run")
        assert stack.broker.changed == []
        await pilot.press("enter")
        await shows(pilot, "revoked before it started")
    assert ("delete", EMAIL_FIRST) in stack.broker.changed


async def test_escape_changes_nothing():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org")
        await pilot.press("K")
        await shows(pilot, "$ nexus-tui revoke")
        await pilot.press("escape")
        await pilot.pause(0.1)
        assert "$ nexus-tui revoke" not in screen_text(pilot)
    assert stack.broker.changed == []


async def test_a_running_run_can_be_terminated_on_request():
    stack = fakes.busy()
    stack.control.running = {fakes.run_id(2): ("active", "files@web1")}
    async with opened(stack) as pilot:
        await pilot.press("3", "j", "K")
        await shows(pilot, "revoke and terminate")
        await pilot.press("t")
        await shows(pilot, f"$ nexus-tui revoke {fakes.run_id(2)} --terminate")
        await pilot.press("enter")
        await shows(pilot, "terminated on files@web1")
    assert ((fakes.run_id(2),), True) in stack.control.revoked


async def test_marked_messages_are_moved_and_unmarked():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org")
        await pilot.press("space", "space")
        await shows(pilot, "2 marked")
        await pilot.press("B", "3")
        await shows(pilot, "Move 2 runs", "to priority 3")
        await pilot.press("enter")
        await shows(pilot, "2 of 2 done")
        assert pilot.app.screen.query_one("#rows", Table).marks == {}
    assert stack.broker.changed == [
        ("priority", (EMAIL_FIRST, 3, False)),
        ("priority", (EMAIL_SECOND, 3, False)),
    ]


async def test_run_next_moves_to_the_front_of_the_first_priority():
    stack = fakes.busy()
    async with opened(stack, SMALL) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org"[:8])
        await pilot.press("j", "B")
        await shows(pilot, "run next", f"$ nexus-tui priority {EMAIL_SECOND} 0 --front")
        await pilot.press("enter")
        await shows(pilot, "moved to the front of priority 0")
    assert stack.broker.changed == [("priority", (EMAIL_SECOND, 0, True))]


async def test_marks_survive_new_rows_and_are_counted_out_of_view():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("3")
        await shows(pilot, "PENDING")
        await pilot.press("j", "space")
        for number in range(60, 63):
            stack.history.add(fakes.a_run(number))
        await pilot.press("r")
        await shows(pilot, "1 marked", "+3 new")
        assert list(pilot.app.screen.query_one("#rows", Table).marks) == [fakes.run_id(2)]


async def test_all_that_match_are_marked_also_those_that_are_not_loaded():
    stack = fakes.busy()
    stack.history.rows = [fakes.a_run(number) for number in range(1, 451)]
    stack.history.rows[440] = fakes.a_run(441, state="FAILURE")
    async with opened(stack) as pilot:
        await pilot.press("3")
        await shows(pilot, "of 450")
        await pilot.press("asterisk")
        await shows(pilot, "450 marked")
        assert list(pilot.app.screen.query_one("#rows", Table).marks) == [run.id for run in stack.history.rows]
        await pilot.press("backslash", "slash", *"state:failure", "enter")
        await shows(pilot, "FAILURE")
        await pilot.press("asterisk")
        await shows(pilot, "1 marked")


async def test_rows_are_marked_from_the_last_mark_to_the_cursor():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org")
        await pilot.press("j", "space", "j", "j", "v")
        await shows(pilot, "4 marked")
        assert list(pilot.app.screen.query_one("#rows", Table).marks) == [fakes.run_id(1000 + n) for n in (1, 2, 3, 4)]


async def test_a_range_reaches_over_rows_that_are_not_loaded():
    stack = fakes.busy()
    stack.history.rows = [fakes.a_run(number) for number in range(1, 451)]
    async with opened(stack) as pilot:
        await pilot.press("3")
        await shows(pilot, "of 450")
        await pilot.press("j", "space", "G")
        await shows(pilot, fakes.run_id(450)[:8])
        await pilot.press("v")
        await shows(pilot, "449 marked")
        assert fakes.run_id(1) not in pilot.app.screen.query_one("#rows", Table).marks


@pytest.mark.parametrize(("key", "label", "command"), [("s", "start", "start"), ("x", "stop", "stop")])
async def test_a_program_is_started_and_stopped(monkeypatch: pytest.MonkeyPatch, key: str, label: str, command: str):
    stack = fakes.busy()
    done: list[object] = []

    def run(action: object, _sources: object) -> Outcome:
        done.append(action)
        return Outcome((TargetOutcome("workers:files", True, f"{label} done"),))

    monkeypatch.setattr(programs.StartProgram, "run", run)
    monkeypatch.setattr(programs.StopProgram, "run", run)
    async with opened(stack) as pilot:
        await pilot.press("5")
        await shows(pilot, "files@web1")
        table = pilot.app.screen.query_one("#rows", Table)
        while table.current.name != "files@web1":
            await pilot.press("j")
        await pilot.press("S", key)
        await shows(pilot, f"$ nexus-tui {command} workers:files")
        await pilot.press("enter")
        await shows(pilot, f"{label} done")
    assert done == [{"s": programs.StartProgram, "x": programs.StopProgram}[key](("workers:files",))]


async def test_a_worker_started_by_hand_has_no_program_to_stop():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("5")
        await shows(pilot, "default@web1")
        table = pilot.app.screen.query_one("#rows", Table)
        await pilot.press("j")
        assert table.current.name == "default@web1"
        await pilot.press("S")
        await shows(pilot, "started by hand")


async def test_messages_are_deleted_and_moved_to_another_queue():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org")
        await pilot.press("M", "3")
        await shows(pilot, f"$ nexus-tui move {EMAIL_FIRST} ai_queue", "behind what waits there")
        await pilot.press("enter")
        await shows(pilot, "moved to ai_queue")
        await pilot.press("j", "D")
        await shows(pilot, f"$ nexus-tui delete {EMAIL_SECOND}", "They never run")
        await pilot.press("enter")
        await shows(pilot, "deleted")
    assert stack.broker.changed == [("move", (EMAIL_FIRST, "ai_queue", False)), ("delete", EMAIL_SECOND)]


async def test_a_queue_of_many_is_purged_only_when_its_name_is_typed():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "D")
        await shows(pilot, "$ nexus-tui purge ai_queue")
        await pilot.press("enter")
        await shows(pilot, "1,204 targets", "Type ai_queue")
        await pilot.press(*"no", "enter")
        await shows(pilot, "not that")
        assert stack.broker.changed == []
        await pilot.press("backspace", "backspace", *"ai_queue", "enter")
        await shows(pilot, "purged 1,204 messages")
    assert stack.broker.changed == [("purge", "ai_queue")]


async def test_a_queue_is_paused_and_the_latest_change_taken_back():
    stack = fakes.busy()
    stack.broker.changes = (
        Undoable("f00d", fakes.NOW, "messages", "delete 4 runs", "", fakes.NOW),
        Undoable("beef", fakes.NOW, "messages", "move 2 runs", "", fakes.NOW),
    )
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "P")
        await shows(pilot, "$ nexus-tui pause email_queue")
        await pilot.press("enter")
        await shows(pilot, "paused; no worker is there to be told")
        await pilot.press("U")
        await shows(pilot, "delete 4 runs", "move 2 runs", "$ nexus-tui undo f00d")
        await pilot.press("enter")
        await shows(pilot, "4 restored")
    assert stack.broker.changed == [("pause", "email_queue"), ("restore", "f00d")]


async def test_a_failed_run_is_run_again():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("3", "j", "j", "R")
        await shows(pilot, f"$ nexus-tui retry {fakes.run_id(3)}")
        await pilot.press("enter")
        await shows(pilot, "runs again as")
    assert stack.catalog.given[0]["task"] == "workers.ai_tasks.chat_completion"


async def test_a_run_is_run_again_with_other_arguments():
    stack = fakes.busy()
    task = "workers.ai_tasks.chat_completion"
    run = fakes.a_run(60, task=task, state="FAILURE", args=["a", 2], kwargs={"model": "x", "token": "***"})
    stack.history.add(run)
    async with opened(stack) as pilot:
        await pilot.press("3")
        await shows(pilot, "FAILURE")
        await pilot.press("R", "e", "enter")
        await shows(pilot, "argument 1", "argument 2", "model", "not kept in full: type it", "further arguments")
        fields = list(pilot.app.screen.query(Input))
        assert [field.value for field in fields] == ['"a"', "2", '"x"', "", ""]
        fields[1].value, fields[2].value = "3", "y"
        await pilot.press("enter")
        await shows(pilot, "▲ model is no JSON (a text needs quotes)")
        fields[2].value, fields[3].value, fields[4].value = '"y"', '"t"', '{"size": 1}'
        await pilot.press("enter")
        await shows(pilot, """--kwargs '{"model": "y", "token": "***",""", """--args '["a", 3]'""")
        await pilot.press("enter")
        await shows(pilot, "runs again as")
    [given] = stack.catalog.given
    assert (given["args"], given["kwargs"]) == (["a", 3], {"model": "y", "token": "t", "size": 1})


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_what_was_typed_stays_with_the_error_beside_it_until_a_run_comes_of_it(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
):
    stack = fakes.busy()
    stack.history.add(fakes.a_run(60, state="FAILURE", args=[], kwargs={"model": "x"}))
    problems = ["arguments: model: there is no such model; expected one of those that are configured here"]

    def submit(*args: Any, **options: Any) -> Any:
        if problems:
            raise Invalid(problems.pop())
        return given(*args, **options)

    given = stack.catalog.submit
    monkeypatch.setattr(stack.catalog, "submit", submit)
    async with opened(stack, size) as pilot:
        await pilot.press("3")
        await shows(pilot, "FAILURE")
        await pilot.press("R", "e", "enter")
        await shows(pilot, "further arguments")
        pilot.app.screen.query(Input).first().value = '"my model"'
        await pilot.press("enter")
        await shows(pilot, "my model", "nexus-tui retry")
        await pilot.press("escape")
        await shows(pilot, "further arguments")
        await pilot.press("enter")
        await shows(pilot, "nexus-tui retry")
        await pilot.press("enter")
        screen = await shows(pilot, "▲ arguments: model: there is no such model", "configured here")
        assert '"my model"' in screen
        await pilot.press("enter")
        await shows(pilot, "nexus-tui retry")
        await pilot.press("enter")
        await shows(pilot, "runs again as")
        assert "further arguments" not in screen_text(pilot)
    assert [run["kwargs"] for run in stack.catalog.given] == [{"model": "my model"}]


async def test_a_form_keeps_what_was_typed_when_the_broker_refuses_it(monkeypatch: pytest.MonkeyPatch):
    stack = fakes.busy()

    def submit(*_args: object, **_options: object) -> object:
        raise Refused("broker redis://localhost answers with an error: OOM command not allowed")

    monkeypatch.setattr(stack.catalog, "submit", submit)
    async with opened(stack) as pilot:
        await open_form(pilot, *"a.pdf", "enter")
        await shows(pilot, "$ nexus-tui submit")
        await pilot.press("enter")
        await shows(pilot, "▲ broker redis://localhost answers with an error: OOM command not allowed")
        field = next(field for field in pilot.app.screen.query(Field) if field.parameter.name == "file_path")
        assert field.query_one(Input).value == "a.pdf"


async def test_a_worker_limits_how_often_and_how_long_runs_of_a_task_go():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("5")
        await shows(pilot, "files@web1")
        table = pilot.app.screen.query_one("#rows", Table)
        while table.current.name != "files@web1":
            await pilot.press("j")
        await pilot.press("S", "l", "enter")
        await shows(pilot, "task, its full name", "starts at most")
        fields = list(pilot.app.screen.query(Input))
        fields[0].value, fields[1].value = "a.task", "often"
        await pilot.press("enter")
        await shows(pilot, "▲ 'often' is no rate: write it like 10/m, 2/s or 100/h, or none")
        fields[1].value = "10/m"
        await pilot.press("enter")
        await shows(pilot, "$ nexus-tui rate-limit a.task 10/m --worker files@web1")
        await pilot.press("enter")
        await shows(pilot, "until it restarts")
        await pilot.press("S", "t", "enter")
        await shows(pilot, "killed after so many seconds")
        fields = list(pilot.app.screen.query(Input))
        fields[0].value, fields[1].value, fields[2].value = "a.task", "30", "20"
        await pilot.press("enter")
        await shows(pilot, "$ nexus-tui time-limit a.task --hard 30 --soft 20 --worker files@web1")
        await pilot.press("enter")
        await pilot.pause(0.2)
    assert [method for method, _ in stack.control.ordered] == ["rate_limit", "time_limit"]


async def test_a_worker_is_given_one_child_more():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("5")
        await shows(pilot, "files@web1")
        table = pilot.app.screen.query_one("#rows", Table)
        while table.current.name != "files@web1":
            await pilot.press("j")
        await pilot.press("S", "plus")
        await shows(pilot, "$ nexus-tui grow files@web1 1", "until it restarts")
        await pilot.press("enter")
        await shows(pilot, "pool will grow, until it restarts")
    assert stack.control.ordered == [("pool_grow", ("files@web1",))]


async def test_why_tells_what_holds_a_queue_and_the_command_that_frees_it():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "w")
        await shows(pilot, "12 wait", "4 of 4 places at email@web1 are taken", "$ nexus-tui grow email@web1 1")
        await pilot.press("escape", "j", "j", "w")
        await shows(pilot, "31 wait", "Nothing holds it")


async def test_the_fix_of_why_is_carried_out_after_asking():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "w")
        await shows(pilot, "$ nexus-tui grow email@web1 1")
        await pilot.press("enter")
        await shows(pilot, "Free email_queue", "Enter grow", "$ nexus-tui grow email@web1 1")
        await pilot.press("enter")
        await shows(pilot, "pool will grow")
    assert stack.control.ordered == [("pool_grow", ("email@web1",))]


async def test_read_only_the_fix_of_why_is_refused_with_the_reason():
    stack = fakes.busy()
    async with opened(stack, read_only=True) as pilot:
        await pilot.press("2", "j", "w")
        await shows(pilot, "$ nexus-tui grow email@web1 1")
        await pilot.press("enter")
        await shows(pilot, "Free email_queue: read-only: start without --read-only")
    assert stack.control.ordered == []


async def test_undo_names_what_when_and_how_many():
    stack = fakes.busy()
    at = fakes.NOW - timedelta(minutes=2)
    stack.broker.changes = (Undoable("t1", at, "purge", "purge ai_queue", "ai_queue", at + timedelta(days=1)),)
    async with opened(stack) as pilot:
        await pilot.press("U")
        await shows(pilot, "take back: purge ai_queue, 2 m ago, 4 kept")


HOW_TO_WRITE = "read-only: start without --read-only"


@pytest.mark.parametrize("key", ["K", "B", "R", "D", "M", "n", "U"])
async def test_read_only_a_key_that_changes_something_says_why_it_does_not(key: str):
    async with opened(fakes.busy(), read_only=True) as pilot:
        await pilot.press("3")
        await shows(pilot, "READ-ONLY", "PENDING")
        await pilot.press(key)
        await shows(pilot, HOW_TO_WRITE)
        assert "$ nexus-tui" not in screen_text(pilot)


async def test_read_only_changes_are_grey_in_the_footer_and_in_the_help():
    async with opened(fakes.busy(), read_only=True) as pilot:
        await pilot.press("3")
        footer = (await shows(pilot, "READ-ONLY", "PENDING")).rstrip().splitlines()[-1]
        assert "K revoke" in footer
        bar = pilot.app.screen.query_one(KeyBar)
        looks = {text.strip(): look for line in bar.build(200, 1) for text, look in line}
        assert (looks["K"], looks["revoke"], looks["/"]) == ("dim", "dim", "accent")
        await pilot.press("question_mark")
        await shows(pilot, "Changes the world", f"grey: {HOW_TO_WRITE}")


async def test_read_only_the_palette_says_why_a_change_is_refused():
    async with opened(fakes.busy(), read_only=True) as pilot:
        await pilot.press("3")
        await shows(pilot, "READ-ONLY", "PENDING")
        await pilot.press("ctrl+p", *"revoke")
        await shows(pilot, f"key K · {HOW_TO_WRITE}")


async def test_read_only_refuses_submit_on_the_command_line():
    async with opened(fakes.busy(), source_read_only=True) as pilot:
        await pilot.press("colon", *"submit", "enter")
        await shows(pilot, "read-only: nothing can be submitted")


async def open_form(pilot, *typed: str) -> None:
    await pilot.press("n")
    await shows(pilot, "Submit a task", "process_pdf")
    await pilot.press(*"pdf", "enter")
    await shows(pilot, "file_path")
    await pilot.press(*typed)


async def test_the_form_shows_types_defaults_and_help():
    async with opened(fakes.busy(), (120, 50)) as pilot:
        await open_form(pilot)
        screen = await shows(pilot, "path below the upload root", "whole number", "default 10")
    assert "The PDF, below the upload root. Below /" in screen
    assert "[ ] text" in screen
    assert "0 (first) … 9 (last)" in screen


async def test_a_submitted_form_becomes_a_run_that_is_opened():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await open_form(pilot, *"a.pdf", "tab", "space", "enter")
        await shows(pilot, """$ nexus-tui submit workers.file_tasks.process_pdf --kwargs '{"file_path": "a.pdf\"""")
        assert stack.catalog.given == []
        await pilot.press("enter")
        await shows(pilot, "queued in file_processing_queue", fakes.run_id(77))
    assert stack.catalog.given == [
        {"task": "workers.file_tasks.process_pdf", "kwargs": {"file_path": "a.pdf", "operations": ["text"]}}
    ]


async def test_an_error_is_shown_at_its_field():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await open_form(pilot, "enter")
        await shows(pilot, "▲ missing; expected path below the upload root")
        assert stack.catalog.given == []


async def test_what_is_no_number_is_refused_at_its_field():
    async with opened(fakes.busy(), (120, 50)) as pilot:
        await open_form(pilot, *"a.pdf")
        pages = next(field for field in pilot.app.screen.query(Field) if field.parameter.name == "pages")
        pages.query_one(Input).value = "many"
        await pilot.press("enter")
        await shows(pilot, "▲ input should be a valid integer; expected whole number")


async def test_bad_json_in_a_field_names_the_place():
    async with opened(fakes.busy(), (120, 50)) as pilot:
        await open_form(pilot, *"a.pdf")
        options = next(field for field in pilot.app.screen.query(Field) if field.parameter.name == "options")
        options.query_one(Input).value = '{"a": }'
        await pilot.press("enter")
        await shows(pilot, "▲ not JSON: Expecting value at character 7")


async def test_priority_and_countdown_are_checked_and_passed_on():
    stack = fakes.busy()
    async with opened(stack, (120, 50)) as pilot:
        await open_form(pilot, *"a.pdf")
        options = {field.parameter.name: field for field in pilot.app.screen.query(Field)}
        options["priority"].query_one(Input).value = "11"
        await pilot.press("enter")
        await shows(pilot, "▲ 11 is outside 0 (first) … 9 (last)")
        options["priority"].query_one(Input).value = "0"
        options["countdown"].query_one(Input).value = "30"
        await pilot.press("enter")
        await shows(pilot, "--priority 0", "--countdown 30")
        await pilot.press("enter")
        await shows(pilot, "queued in")
    assert stack.catalog.given[0]["priority"] == 0
    assert stack.catalog.given[0]["countdown_s"] == 30.0


async def test_raw_json_takes_the_fields_along_and_back():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await open_form(pilot, *"a.pdf", "ctrl+t")
        await shows(pilot, '"file_path": "a.pdf"')
        await pilot.press("ctrl+t")
        await shows(pilot, "operations")
        field = next(field for field in pilot.app.screen.query(Field) if field.parameter.name == "file_path")
        assert field.query_one(Input).value == "a.pdf"


async def test_a_refused_change_says_why(monkeypatch: pytest.MonkeyPatch):
    def run(_action: object, _sources: object) -> Outcome:
        raise Unreachable("no supervisord; start it: nexus-tui up")

    monkeypatch.setattr(programs.StopProgram, "run", run)
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("5", "tab", "S", "x")
        await shows(pilot, "$ nexus-tui stop")
        await pilot.press("enter")
        await shows(pilot, "start it: nexus-tui up")


async def test_a_path_in_a_result_is_copied_and_kept_in_a_file_that_is_named(tmp_path: Path):
    stack = fakes.busy()
    stack.history.rows = [fakes.a_run(1, result={"path": "out/a.pdf"})]
    async with opened(stack) as pilot:
        await pilot.press("3")
        await shows(pilot, "process_pdf")
        await pilot.press("a")
        await shows(pilot, "result.path", "out/a.pdf")
        await pilot.press("enter")
        await shows(pilot, "copied out/a.pdf", "also in ")
        assert pilot.app.clipboard == "out/a.pdf"
    assert (tmp_path / "cache" / "nexus" / "copied").read_text() == "out/a.pdf"


@pytest.mark.parametrize(
    ("key", "kind", "words"), [("c", "csv", "QUEUE,WAITING"), ("s", "svg", "<svg"), ("j", "json", '"name"')]
)
async def test_a_view_is_exported_and_its_path_shown(
    key: str, kind: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    async with opened(fakes.busy()) as pilot:
        await pilot.press("2")
        await shows(pilot, "DRAINS")
        await pilot.press("e", key)
        await shows(pilot, "written to ", f".{kind}")
    [path] = tmp_path.glob(f"nexus-queues-*.{kind}")
    assert words in path.read_text()


async def test_an_exported_picture_has_nothing_that_a_reader_would_obey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    async with opened(hostile()) as pilot:
        await pilot.press("3")
        await shows(pilot, "PWNED")
        await pilot.press("e", "s")
        await shows(pilot, "written to ")
    [path] = tmp_path.glob("nexus-tasks-*.svg")
    text = path.read_text()
    assert "PWNED" in text
    assert re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text) == []
