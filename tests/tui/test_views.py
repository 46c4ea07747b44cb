"""The four views on fake sources: what they show, and where their keys lead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from textual import events
from textual.keys import _character_to_key

from nexus_tui.app import NexusApp
from nexus_tui.widgets.tables.table import Table
from tests.tui import fakes
from tests.tui.conftest import SMALL, opened, screen_text, shows, the_app


async def test_pulse_shows_queues_workers_runs_and_failures():
    async with opened(fakes.busy()) as pilot:
        screen = await shows(pilot, "NEXUS", "valkey 9.1.2 unix socket")
    assert "1,204" in screen
    assert "∥ ▎reports_queue" in screen
    assert "✗ crash-looping" in screen
    assert "1 m 58 s" in screen
    assert "RateLimited" in screen
    assert "every source fresh · read-write" in screen


async def test_unknown_figures_are_question_marks():
    stack = fakes.busy()
    stack.broker.rows = (replace(stack.broker.rows[0], in_per_s=None, in_flight=None, consumers=None),)
    async with opened(stack) as pilot:
        await pilot.press("2")
        screen = await shows(pilot, "email_queue", "CONSUMERS")
    row = next(line for line in screen.splitlines() if "email_queue" in line)
    assert row.count("?") == 4, "in flight, in/s, drains, consumers"


async def test_number_keys_open_the_views():
    async with opened(fakes.busy()) as pilot:
        for key, view in (("2", "queues"), ("3", "tasks"), ("5", "workers"), ("1", "pulse")):
            await pilot.press(key)
            await pilot.pause()
            assert pilot.app.current_mode == view


async def test_a_queue_opens_its_messages_in_run_order():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("2", "j")
        await pilot.press("enter")
        screen = await shows(pilot, "Waiting in run order", "user0@example.org", "user11@example.org")
    places = [screen.index(f"user{number}@") for number in range(12)]
    assert places == sorted(places)


async def test_escape_goes_back_and_q_leaves_at_the_top():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "Waiting in run order")
        await pilot.press("escape")
        await pilot.pause()
        assert "Waiting in run order" not in screen_text(pilot)
        await pilot.press("q")
        await pilot.pause()
        assert not pilot.app.is_running or pilot.app._exit


async def test_a_run_opens_with_times_arguments_and_traceback():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "j", "j", "enter")
        screen = await shows(pilot, "Traceback (most recent call last)")
    assert "workers.ai_tasks.chat_completion" in screen
    assert '"prompt": "Say [bold]hello[/bold]"' in screen
    assert "+200 ms" in screen
    assert "ai@web1" in screen


async def test_a_run_that_ended_well_shows_its_result():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "j", "j", "j", "j", "enter")
        screen = await shows(pilot, "Result")
    assert '"pages": 5' in screen


async def test_a_message_that_the_history_does_not_know_opens_as_a_waiting_run():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user0@example.org")
        await pilot.press("enter")
        await shows(pilot, "○ PENDING", "workers.email_tasks.send_email", "user0@example.org")


async def test_a_worker_opens_with_its_children_and_log():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("5")
        await shows(pilot, "files@web1")
        table = pilot.app.screen.query_one("#rows", Table)
        while table.current.name != "files@web1":
            await pilot.press("j")
        await pilot.press("enter")
        screen = await shows(pilot, "Children", "Task process_pdf received")
    assert "4711" in screen
    assert "file_tasks.process_pdf" in screen
    assert "idle" in screen


async def test_workers_are_sorted_by_what_s_chooses_and_reversed_by_o():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("5")
        await shows(pilot, "files@web1")
        await pilot.press("s", "o")
        screen = await shows(pilot, "by worker ↓")
    assert screen.index("reports@web1") < screen.index("files@web1") < screen.index("ai@?")


async def test_empty_views_say_what_to_do():
    async with opened(fakes.idle()) as pilot:
        await shows(pilot, "Nothing runs: press n to submit a task")
        await pilot.press("3")
        await shows(pilot, "No runs yet: press n to submit one")


async def test_a_dead_broker_is_drawn_with_its_reason():
    async with opened(fakes.dead()) as pilot:
        screen = await shows(pilot, "broker at unix:///run/broker.sock does not answer")
    assert "of 4 sources silent" in screen


async def test_a_broker_that_falls_silent_is_stale_with_its_age_and_comes_back():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        stack.broker.problem = "connection refused"
        the_app(pilot).read_again()
        await shows(pilot, "broker silent since 0 s: connection refused", "1,204")
        stack.broker.problem = ""
        stack.broker.rows = (replace(stack.broker.rows[0], waiting=99),)
        the_app(pilot).read_again()
        screen = await shows(pilot, " 99 ", "every source fresh")
    assert "silent since" not in screen


async def test_a_small_terminal_keeps_the_first_columns():
    async with opened(fakes.busy(), SMALL) as pilot:
        screen = await shows(pilot, "email_queue", "WAITING", "PRIORITY 0…9")
    assert "CONSUMERS" not in screen
    assert all(len(line) <= 80 for line in screen.splitlines())


async def test_freezing_holds_the_screen_until_p_again():
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await pilot.press("p")
        await shows(pilot, "frozen")
        stack.broker.rows = (replace(stack.broker.rows[0], waiting=7654),)
        the_app(pilot)._feeds.read_now()
        await pilot.pause(0.4)
        assert "7,654" not in screen_text(pilot)
        await pilot.press("p")
        await shows(pilot, "7,654")


async def test_the_command_line_opens_views_with_unique_beginnings():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("colon", *"wor", "enter")
        await pilot.pause()
        assert "worker is" not in screen_text(pilot)
        await shows(pilot, "wor is short for workers and worker")
        await pilot.press(*"kers", "enter")
        await pilot.pause()
        assert pilot.app.current_mode == "workers"


async def test_the_command_line_filters_tasks():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("colon", *"tasks", "space", *"state", "colon", *"failure", "enter")
        screen = await shows(pilot, "/state:failure", "FAILURE")
    assert "SUCCESS" not in screen


async def test_a_search_that_ran_out_of_time_says_how_far_it_looked():
    stack = fakes.busy()
    stack.history.looked_to = fakes.NOW - timedelta(hours=2)
    async with opened(stack, view="tasks") as pilot:
        await shows(pilot, f"looked back to {stack.history.looked_to:%H:%M:%S}: narrow the filter")


async def test_an_unknown_command_says_which_there_are():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("colon", *"frob", "enter")
        views = "pulse, queues, tasks, failures, workers, schedule, stats, logs, audit"
        await shows(pilot, f"no command frob; there are {views}, quit")


async def test_colon_q_leaves():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("colon", *"quit", "enter")
        await pilot.pause()
        assert pilot.app._exit


async def test_control_c_says_how_to_leave():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("ctrl+c")
        await shows(pilot, "q leaves")
        assert not pilot.app._exit


async def test_help_lists_the_keys_of_the_view_from_its_bindings():
    async with opened(fakes.busy(), (120, 60)) as pilot:
        await pilot.press("3", "question_mark")
        screen = await shows(pilot, "Changes the world, and asks first")
    assert "K                 revoke" in screen
    assert "/                 filter" in screen
    assert "sort" not in screen, "the Tasks view can't be sorted"


async def test_raw_json_of_what_the_cursor_is_on():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "y")
        await shows(pilot, '"state": "PENDING"', '"sent_at": "2026-03-14T10:41:07+00:00"')


async def test_copy_puts_the_id_on_the_clipboard():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "c")
        await pilot.pause()
        assert pilot.app.clipboard == fakes.run_id(1)


async def test_the_palette_offers_the_keys_of_the_screen():
    async with opened(fakes.busy()) as pilot:
        await pilot.press("3", "ctrl+p")
        await pilot.press(*"revoke")
        await shows(pilot, "Revoke", "key K")


async def test_the_first_view_and_filter_come_from_the_start():
    async with opened(fakes.busy(), view="tasks", filter_text="state:revoked") as pilot:
        screen = await shows(pilot, "REVOKED", "/state:revoked")
    assert "SUCCESS" not in screen


def test_no_key_collides_with_tmux_the_shell_or_flow_control():
    forbidden = {"ctrl+a", "ctrl+b", "ctrl+d", "ctrl+k", "ctrl+s", "ctrl+q", "ctrl+space", "ctrl+at"}
    app = NexusApp(fakes.busy().sources())
    keys = set(app._bindings.key_to_bindings)
    for screen in app.MODES.values():
        keys |= set(screen()._bindings.key_to_bindings)
    assert not keys & forbidden


async def test_what_is_typed_right_after_the_colon_is_no_key_of_the_view():
    async with opened(fakes.busy()) as pilot:
        for key in (":", *"queue ai_queue"):
            the_app(pilot).post_message(events.Key(_character_to_key(key), key))
        the_app(pilot).post_message(events.Key("enter", "\r"))
        await shows(pilot, "ai_queue · 1,204 waiting")


async def test_what_waits_in_a_queue_is_counted_by_task():
    stack = fakes.busy()
    first, *rest = stack.broker.waiting["email_queue"]
    stack.broker.waiting["email_queue"] = [replace(first, task=""), *rest]
    count = len(rest)
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "user1@example.org")
        await pilot.press("t")
        screen = await shows(pilot, "email_queue by task", "not a message of Celery", "in all")
        assert f"{count:,}" in screen
        assert rest[0].task in screen


async def test_workers_that_no_supervisor_runs_are_not_said_to_lack_one():
    stack = fakes.busy()
    stack.supervisor.rows, stack.supervisor.is_used = (), False
    async with opened(stack) as pilot:
        await pilot.press("5")
        screen = await shows(pilot, "files@web1", "No programs: supervisord runs none of this stack")
    assert "every source fresh" in screen
