"""``nexus-tui doctor``: everything that is wrong, worst first, and what mends it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import click

from celery_nexus.errors import Invalid, Refused, SourceError
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.text import safe_text
from nexus_tui.cli.output import print_json
from nexus_tui.cli.shared import Target, add_common_options, is_on_terminal, refuse_read_only
from nexus_tui.documents import as_json as to_json

EXITS = {"well": 0, "warning": 1, "broken": 2}
"""Exit codes by the worst finding, for cron and CI."""

SIGNS = {"well": "✓", "warning": "▲", "broken": "✗"}
"""Signs of the severities, in front of a finding."""


@click.command()
@click.option("--fix", is_flag=True, help="Carry out what mends safely, after asking for each.")
@click.option("-y", "--yes", is_flag=True, help="With --fix: don't ask.")
@click.option("--balance", is_flag=True, help="Account for every run that was ever submitted.")
@click.option("--wait", "wait_s", default=10.0, show_default=True, metavar="S", help="Let runs settle for so long.")
@add_common_options
def doctor(target: Target, fix: bool, yes: bool, balance: bool, wait_s: float, as_json: bool) -> None:
    """Say what is wrong, worst first, with proof and remedy; exits 0 (well), 1 (warnings) or 2 (broken)."""
    if balance:
        from nexus_tui.cli.diagnosis.balance import print_balance

        if fix:
            raise Invalid("--fix is about findings, --balance counts runs: give one of them")
        print_balance(target, wait_s, as_json=as_json)
        return
    if yes and not fix:
        raise Invalid("--yes is for --fix, which alone changes something")
    _examine(target, fix=fix, yes=yes, as_json=as_json)


def _examine(target: Target, *, fix: bool, yes: bool, as_json: bool) -> None:
    from celery_nexus.diagnosis.doctor import complete_commands, examine, find_worst

    if fix:
        refuse_read_only(target, "nothing is mended")
        if not yes and not is_on_terminal():
            raise Refused("not confirmed: add --yes to mend without a terminal (nexus-tui doctor --fix --yes)")
    sources = target.sources()
    found = examine(sources)
    mended = _mend(target, found, yes=yes) if fix else {}
    if any(mended.values()):
        found = examine(sources)
    shown = complete_commands(sources, found)
    worst = find_worst(shown)
    if as_json:
        report: dict[str, Any] = {"well": worst == "well", "severity": worst, "findings": to_json(shown)}
        print_json({**report, **({"mended": mended} if fix else {})})
    else:
        _print(shown)
        if not sources.is_foreign:
            click.echo("does everything submitted add up? nexus-tui doctor --balance")
    if EXITS[worst]:
        raise click.exceptions.Exit(EXITS[worst])


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.is_well:
            click.echo(f"{SIGNS[finding.severity]} {finding.kind:<18} {safe_text(finding.proof, 1000)}")
            continue
        click.echo(f"{SIGNS[finding.severity]} {finding.kind:<18} {safe_text(finding.subject, 60)}")
        click.echo(f"  {safe_text(finding.proof, 1000)}")
        if finding.consequence:
            click.echo(f"  → {finding.consequence}")
        if finding.fix:
            click.echo(f"  $ {safe_text(finding.fix, 1000)}" + ("   (doctor --fix does it)" if finding.is_safe else ""))


def _mend(target: Target, findings: Sequence[Finding], *, yes: bool) -> dict[str, bool]:
    """Carry out the commands of findings that are safe to mend; return which were, and whether that worked."""
    mended: dict[str, bool] = {}
    for command in dict.fromkeys(finding.fix for finding in findings if finding.is_safe):
        proofs = "; ".join(finding.proof for finding in findings if finding.fix == command)
        click.echo(f"{safe_text(proofs, 1000)}\n$ {safe_text(command, 1000)}", err=True)
        if yes or click.confirm("Do it?", err=True):
            mended[command] = _carry_out(target, command)
    return mended


def _carry_out(target: Target, command: str) -> bool:
    """Carry out a command of ``nexus-tui`` on the broker that was examined; tell whether it worked."""
    root = click.get_current_context().find_root()
    try:
        with click.Context(root.command, obj=target, info_name="nexus-tui") as context:
            name, *words = shlex.split(command)[1:]
            made = root.command.get_command(context, name) if isinstance(root.command, click.Group) else None
            if made is None:
                return False
            with redirect_stdout(sys.stderr):  # findings alone are the answer
                code = made.main([*words, "--yes"], f"nexus-tui {name}", standalone_mode=False, parent=context)
    except SourceError as error:
        click.echo(f"nexus-tui: {safe_text(str(error))}", err=True)
        return False
    return not code


COMMANDS = (doctor,)
