"""A rules file: every mistake has its line and its reason, and what is right holds all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from celery_nexus.alerts.example import EXAMPLE
from celery_nexus.alerts.keys import CHANNEL_KEYS
from celery_nexus.alerts.rules import DEFAULTS, Rule
from celery_nexus.alerts.rules_file import RuleSet, parse_rules, read_rules


def rule_of(found: RuleSet, name: str) -> Rule:
    return next(rule for rule in found.rules if rule.name == name)


def test_without_a_file_the_usual_rules_hold(tmp_path: Path) -> None:
    assert read_rules(tmp_path / "none.toml") == RuleSet(DEFAULTS)


def test_a_rule_is_read_whole() -> None:
    found = parse_rules(
        '[rule.mine]\nkind = "depth"\nabove = 500\nclears = 300\nfor = "2m"\nseverity = "critical"\n'
        'queues = ["a*"]\nchannels = ["ops"]\n[channel.ops]\ntype = "webhook"\nurl = "https://h/${T}"\n'
    )
    assert found.mistakes == ()
    assert rule_of(found, "mine") == Rule("mine", "depth", 500, 300, 120, "critical", ("a*",), (), ("ops",))


def test_a_usual_rule_is_changed_by_its_name() -> None:
    found = parse_rules('[rule.oldest]\nabove = "5m"\n[rule.disk]\nenabled = false\n')
    assert (rule_of(found, "oldest").above, rule_of(found, "oldest").for_s) == (300, 60)
    assert "disk" not in [rule.name for rule in found.on]


MISTAKES = [
    ('[rule.a]\nkind = "depht"\n', "line 2: [rule.a] kind = 'depht' can't be used: one of unreachable, no consumer"),
    ("[rule.a]\nabove = 3\n", "line 1: [rule.a] has no kind: one of unreachable"),
    (
        "[rule.depth]\n\nabov = 3\n",
        "line 3: [rule.depth] has a wrong key 'abov' (did you mean above?): allowed are kind",
    ),
    ('[rule.depth]\nabove = "much"\n', "line 2: [rule.depth] above = 'much' can't be used: a number, or a span"),
    ("[rule.depth]\nabove = true\n", "line 2: [rule.depth] above = 'True' can't be used"),
    ("[rule.depth]\nabove = nan\n", "line 2: [rule.depth] above = 'nan' can't be used"),
    ("[rule.depth]\nabove = 5\nclears = 6\n", "line 3: [rule.depth] clears at 6, which is above its threshold of 5"),
    ("[rule.deaf]\nabove = 5\n", "line 2: [rule.deaf] deaf is so or is not: it has no threshold"),
    ('[rule.depth]\nseverity = "bad"\n', "line 2: [rule.depth] severity = 'bad' can't be used: warning or critical"),
    ('[rule.depth]\nchannels = ["op"]\n', "line 2: [rule.depth] no channel 'op'; there are none: write [channel.NAME]"),
    (
        '[rule.failures]\nover = "2d"\n',
        "line 2: [rule.failures] over = '2d' can't be used: a span of a minute to a day",
    ),
    ('[channel.a]\ntype = "webhok"\n', "line 2: [channel.a] has a wrong type 'webhok' (did you mean webhook?)"),
    ('[channel.a]\nurl = "https://h"\n', "line 1: [channel.a] has no type: allowed are webhook"),
    ('[channel.a]\ntype = "webhook"\n', "line 1: [channel.a] has no url: an address with http"),
    ('[channel.a]\ntype = "webhook"\nurl = "ftp://h"\n', "line 3: [channel.a] url can't be used: an address with http"),
    (
        '[channel.a]\ntype = "webhook"\nurl = "https://h/${9}"\n',
        "line 3: [channel.a] url has a ${ that names no variable",
    ),
    (
        '[channel.a]\ntype = "command"\ncommand = "page ops"\n',
        "line 3: [channel.a] command can't be used: a list of texts",
    ),
    ('[channel.a]\ntype = "mail"\nto = []\n', "line 3: [channel.a] to = '[]' can't be used"),
    ('[channel.a]\ntype = "mail"\nto = ["a@b"]\ntimeout = "2h"\n', "line 4: [channel.a] timeout = '2h' can't be used"),
    ("[rules.depth]\n", "line 1: 'rules' is not known (did you mean rule?): allowed are [rule.NAME], [channel"),
    ("rule = 3\n", "line 1: rule is no table: write [rule.NAME]"),
    ("[rule]\ndepth = 3\n", "line 2: depth is no rule: write [rule.NAME]"),
    ("[rule.depth]\nabove 3\n", "line 2: Expected '='"),
]


@pytest.mark.parametrize(("text", "says"), MISTAKES)
def test_a_mistake_has_its_line_and_its_reason(text: str, says: str) -> None:
    [mistake] = parse_rules(text).mistakes
    assert says in str(mistake)


def test_what_is_right_holds_beside_a_mistake() -> None:
    found = parse_rules('[rule.depth]\nabove = "x"\n[rule.oldest]\nabove = "1m"\n')
    assert "depth" not in [rule.name for rule in found.rules]
    assert rule_of(found, "oldest").above == 60


def test_text_that_is_no_text_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"# a\n\xff\n")
    assert [str(mistake) for mistake in read_rules(path).mistakes] == ["line 2: this is no UTF-8 text"]


def test_the_example_has_no_mistake_as_it_is_and_with_everything_in_force() -> None:
    assert parse_rules(EXAMPLE).mistakes == ()
    begun = "\n".join(
        line[2:] if line.startswith("# ") and ("=" in line or "[" in line) else "" for line in EXAMPLE.splitlines()[3:]
    )
    found = parse_rules(begun)
    assert found.mistakes == ()
    assert {channel.type for channel in found.channels} == set(CHANNEL_KEYS)


def test_a_channel_shows_no_secret_of_its_own() -> None:
    found = parse_rules('[channel.a]\ntype = "webhook"\nurl = "https://h/s3cr3t"\n')
    assert "s3cr3t" not in repr(found)
