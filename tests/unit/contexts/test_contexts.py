"""The file of contexts: what it may say, what is wrong with it and where, and its variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from celery_nexus.connection.errors import ConfigError
from nexus_tui.front_door.contexts import Context, ContextsFile, contexts_path, find_line, parse_contexts, read_contexts

ACTIONS = frozenset({"retry", "revoke", "undo"})
PATH = Path("/home/ada/.config/nexus/contexts.toml")


def parse(text: str) -> ContextsFile:
    return parse_contexts(text, ACTIONS, PATH)


def problems(text: str) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.text) for problem in parse(text).problems]


def expand(broker: str, **values: str) -> str | None:
    return Context("prod", broker=broker).expand_variables(values).broker


def test_a_context_has_what_the_file_says() -> None:
    found = parse(
        '[prod]\nbroker = "redis://h:1/0"\nprefix = "shop:"\ncolour = "red"\nproduction = true\nallow = ["retry"]\n'
        '["the shop"]\napp = "shop.celery:app"\nread_only = true\n'
    )
    assert found.problems == ()
    assert found.contexts == {
        "prod": Context("prod", "redis://h:1/0", None, "shop:", "red", production=True, allow=("retry",)),
        "the shop": Context("the shop", app="shop.celery:app", read_only=True),
    }


def test_the_file_is_in_the_users_configuration_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert contexts_path() == tmp_path / "nexus" / "contexts.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/ada")
    assert contexts_path() == PATH


def test_a_wrong_key_is_named_with_its_line_and_what_is_allowed() -> None:
    text = '# mine\n\n[prod]\nbroker = "redis://h:1/0"\n\ncolor = "red"\n'
    assert problems(text) == [
        (
            6,
            "[prod] has a wrong key 'color' (did you mean colour?): "
            "allowed are broker, app, prefix, colour, production, read_only, allow",
        )
    ]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("broker = 1", 'broker must be a text: "redis://host:6379/0"'),
        ('production = "yes"', "production must be true or false"),
        ("read_only = 1", "read_only must be true or false"),
        ('allow = "retry"', 'allow must be a list of commands: ["retry", "undo"]'),
        ('allow = ["retri"]', "'retri' changes nothing (did you mean retry?): allowed are retry, revoke, undo"),
        ("allow = [1]", "'1' changes nothing: allowed are retry, revoke, undo"),
        ('colour = "pink"', "colour 'pink' is not known: allowed are red, yellow, green, blue, magenta, cyan"),
        ('broker = "amqp://h"', "broker: scheme 'amqp' is not Redis"),
        ('broker = "redis://${HOST:6379/0"', "broker has a ${ that names no variable: write ${NAME}"),
        ('app = ""', "app is empty"),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_what_is_allowed(line: str, wrong: str) -> None:
    other = "" if line.startswith(("broker", "app")) else 'broker = "redis://h:1/0"\n'
    text = f"[first]\napp = 'shop'\n[prod]\n{other}{line}\n"
    [(number, told)] = problems(text)
    assert wrong in told
    assert number == (5 if other else 4)


def test_every_problem_is_told_in_the_order_of_lines() -> None:
    found = problems('broker = "redis://h"\n[a]\nx = 1\n[b]\napp = "b"\ny = 2\n')
    assert [number for number, _ in found] == [1, 2, 3, 6]
    assert found[0][1] == "broker stands outside of a context: begin one with [NAME] above it"
    assert found[1][1] == "[a] names neither a broker nor an app"


@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        ("[a]\nx = [\n 1,\n 2,\n]\ny = 1\n", ("a", "x"), 2),
        ("[a]\nx = [\n 1,\n 2,\n]\ny = 1\n", ("a", "y"), 6),
        ("\n# c\na.x = 1\na.y = 2\n", ("a", "y"), 4),
        ("\na = {x = 1, y = 2}\n", ("a", "y"), 2),
        ('["a b"]\r\n"x" = """\r\n[a]\r\ny = 1"""\r\ny = 1\r\n', ("a b", "y"), 5),
        ("# a\n[a]\n", ("a",), 2),
    ],
)
def test_the_line_of_a_key_is_found_however_it_is_written(text: str, keys: tuple[str, ...], line: int) -> None:
    assert find_line(text, *keys) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [("[a]\nbroker = redis://h\n", 2), ("[a]\n[a]\n", 2), ('[a]\nbroker = "x', None), ("[a]\nx = " + "[" * 9999, None)],
)
def test_what_is_no_toml_is_named_with_its_line(text: str, line: int | None) -> None:
    [(number, told)] = problems(text)
    assert number == line
    assert told


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "contexts.toml"
    path.write_bytes(b"[a]\nbroker = '\xff'\n")
    [problem] = read_contexts(ACTIONS, path).problems
    assert str(problem) == "line 2: this is no UTF-8 text"


def test_a_context_with_a_problem_is_refused_and_another_is_not() -> None:
    found = parse('[a]\nbroker = "redis://h:1/0"\n[b]\nbroker = "redis://h:1/0"\ncolour = "x"\n')
    assert found.get("a").name == "a"
    with pytest.raises(ConfigError, match=r"^line 5: \[b\] colour 'x' is not known.*contexts\.toml\)$"):
        found.get("b")


def test_an_unknown_context_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no context 'prd' \(did you mean prod\?\) in .*: there are local, prod"):
        parse('[local]\napp = "a"\n[prod]\napp = "b"\n').get("prd")
    missing = tmp_path / "contexts.toml"
    with pytest.raises(ConfigError, match=f"no context 'prod': there is no file {missing}"):
        read_contexts(ACTIONS, missing).get("prod")


def test_variables_are_put_where_they_are_named() -> None:
    assert expand("redis://${USER}:${PW}@${HOST}:${PORT}/0", USER="u", PW="p", HOST="h.x", PORT="63") == (
        "redis://u:p@h.x:63/0"
    )


def test_a_password_is_encoded_whatever_it_is_made_of() -> None:
    assert expand("redis://:${PW}@h/0", PW="p@s/s%20:#?") == "redis://:p%40s%2Fs%2520%3A%23%3F@h/0"
    assert expand("sentinel://h/0?master_name=m&sentinel_password=${PW}", PW="a&b") == (
        "sentinel://h/0?master_name=m&sentinel_password=a%26b"
    )


def test_a_variable_that_is_the_whole_address_is_taken_as_it_is() -> None:
    assert expand("${PROD_URL}", PROD_URL="redis://:p%40@h/0") == "redis://:p%40@h/0"


@pytest.mark.parametrize("environment", [{"USER": "hunter2"}, {"USER": "hunter2", "PW": ""}])
def test_a_missing_variable_is_one_sentence_without_any_value(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as refused:
        expand("redis://${USER}:${PW}@h/0", **environment)
    assert str(refused.value) == "context prod needs the variable PW that is not set: export it first"


def test_a_missing_variable_of_one_context_leaves_the_others_alone() -> None:
    found = parse('[a]\nbroker = "${NOWHERE_SET}"\n[b]\nbroker = "redis://h:1/0"\n')
    assert found.problems == ()
    assert found.get("b").expand_variables({}).broker == "redis://h:1/0"
