"""The notifications that ship: complete, escaped, and clear about what is missing."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from celery_nexus.task_errors import InvalidArgument
from workers.services.mail.templates import FOLDER, TemplateName, names, render, variables


def _context(template: str, value: str = "value") -> dict[str, Any]:
    filled: dict[str, Any] = {
        name: "https://example.org/a?b=1&c=2" if name.endswith("_url") else value for name in variables(template)
    }
    return filled | ({"figures": {value: 3}} if "figures" in filled else {})


def test_the_choice_in_forms_names_the_files_that_exist() -> None:
    assert sorted(get_args(TemplateName)) == names()
    assert len(names()) == 8
    assert all((FOLDER / f"{name}.html").is_file() for name in names())


@pytest.mark.parametrize("template", names())
def test_every_template_makes_subject_text_and_html_of_all_its_values(template: str) -> None:
    made = render(template, _context(template))
    assert made.subject
    assert "value" in made.text or "https://" in made.text
    assert made.html.startswith("<!DOCTYPE html>")
    assert made.html.rstrip().endswith("</html>")


@pytest.mark.parametrize("template", names())
def test_values_are_escaped_in_html_and_plain_in_text(template: str) -> None:
    hostile = "<script>alert('x')</script>{{ 7 * 7 }}"
    made = render(template, _context(template, hostile))
    assert "<script>" not in made.html
    assert "49" not in made.html.replace("149", "")
    assert "{{ 7 * 7 }}" in made.text + made.subject or hostile not in str(_context(template, hostile))


def test_optional_values_can_be_left_out_and_null_means_the_same() -> None:
    assert render("welcome", {"name": "Jo", "product": "Nexus", "login_url": None}).text == (
        "Hello Jo,\n\nyour account at Nexus is ready.\n\nIf you have a question, answer this message.\n\nNexus\n"
    )


def test_a_missing_value_is_named_with_what_can_be_used() -> None:
    with pytest.raises(InvalidArgument, match=r"context: 'product' is missing for template 'welcome'.*login_url"):
        render("welcome", {"name": "Jo"})


def test_an_unknown_template_is_named_with_those_that_exist() -> None:
    with pytest.raises(InvalidArgument, match=r"there is no '\.\./welcome'; possible: maintenance_notice, "):
        render("../welcome", {})


def test_a_line_break_in_a_value_stays_in_the_subject() -> None:
    made = render("system_alert", {"title": "Disk\r\n\r\nBcc: evil@example.org", "message": "full"})
    assert made.subject == "[WARNING] Disk Bcc: evil@example.org"
    assert made.text == "full\n"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", 'https://x" onclick="y', "ftp://x", 7])
def test_links_lead_to_web_addresses_only(url: Any) -> None:
    with pytest.raises(InvalidArgument, match="no web address"):
        render("password_reset", {"reset_url": url})


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, 7, 1.5, True, "x" * 100_000])
def test_a_value_of_any_kind_ends_in_a_message_or_a_clear_error(value: Any) -> None:
    for template in names():
        try:
            render(template, dict.fromkeys(variables(template), value))
        except InvalidArgument as error:
            assert str(error).startswith("invalid_argument: context: ")
