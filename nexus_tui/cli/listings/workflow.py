"""``nexus-tui workflow``: the chain, group or chord of a run as a tree."""

from __future__ import annotations

from collections.abc import Iterator

import click

from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workflows import Node, Workflow
from celery_nexus.workflows import words
from nexus_tui.cli.output import print_json
from nexus_tui.cli.shared import Target, add_common_options

TREE_WIDTH = 44
"""Columns of the tree; longer names move what stands behind."""


@click.command()
@click.argument("run_id", metavar="ID", help="Id of any run of it, or its unique beginning.")
@add_common_options
def workflow(target: Target, run_id: str, as_json: bool) -> None:
    """Show the workflow of a run as a tree: chains, groups and chords, what never runs and why."""
    from celery_nexus.workflows.source import read_workflow

    found = read_workflow(target.sources(), run_id)
    if as_json:
        print_json(found)
        return
    for line in write_tree(found):
        click.echo(line)


def write_tree(found: Workflow) -> Iterator[str]:
    """Write a workflow as lines."""
    yield words.summarize(found)
    yield ""
    for depth, node in found.walk():
        yield _write_node(depth, node, is_asked=found.asked in node.own_ids)
    for sentence in found.unknown:
        yield f"? {safe_text(sentence)}"


def _write_node(depth: int, node: Node, *, is_asked: bool) -> str:
    role = words.spell_role(node)
    start = f"{'  ' * depth}{'▸' if is_asked else ' '}{words.sign_of(node.state) if node.state else '┬'} "
    name = f"{start}{f'{role} ' if role else ''}{safe_text(words.spell_name(node))}"
    facts = [words.spell_state_of(node), words.spell_facts(node), safe_text(node.why)]
    return f"{name:<{TREE_WIDTH}}  {'  '.join(fact for fact in facts if fact)}".rstrip()


COMMANDS = (workflow,)
