"""What is read from an exception's repr and its traceback."""

import traceback

from celery_nexus.history.store.failure import fingerprint, parse_failure


class Broken(Exception):
    pass


def text_of(error: Exception) -> tuple[str, str]:
    try:
        raise error  # noqa: TRY301
    except Exception as caught:  # noqa: BLE001
        return repr(caught), "".join(traceback.format_exception(caught))


def test_type_message_and_place_are_told_apart() -> None:
    failure = parse_failure(*text_of(Broken("no such page: 7")))
    assert failure.type == "Broken"
    assert failure.error == "Broken: no such page: 7"
    assert failure.place == "history/test_failure.py in text_of"


def test_a_message_of_several_lines_is_kept() -> None:
    assert parse_failure(*text_of(Broken("one\ntwo: three\nBye"))).error == "Broken: one\ntwo: three\nBye"


def test_without_a_traceback_the_repr_tells() -> None:
    assert parse_failure("ValueError('it\\'s\\n bad')", "").error == "ValueError: it's\n bad"
    assert parse_failure("KeyError(7, 'x')", "").error == "KeyError: 7, 'x'"
    assert parse_failure("ValueError()", "").error == "ValueError"
    assert parse_failure("", "").error == "Error"


def test_a_repr_that_is_no_call_takes_its_type_from_the_traceback() -> None:
    failure = parse_failure(
        "never registered", "Traceback (most recent call last):\n  …\ncelery.exceptions.NotRegistered: 1"
    )
    assert failure.error == "NotRegistered: 1"


def test_alike_failures_have_one_fingerprint_whatever_their_message() -> None:
    first, second = parse_failure(*text_of(Broken("page 1"))), parse_failure(*text_of(Broken("page 2")))
    assert fingerprint(first) == fingerprint(second) == "Broken\nhistory/test_failure.py in text_of"


def test_a_library_s_frames_are_not_the_place() -> None:
    text = (
        'Traceback:\n  File "/srv/app/jobs.py", line 3, in send\n'
        '  File "/x/site-packages/lib/a.py", line 9, in deep\nE: x'
    )
    assert parse_failure("E('x')", text).place == "app/jobs.py in send"
