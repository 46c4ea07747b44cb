"""``nexus-tui bundle``: a support bundle, as a file that a person can read before it is sent on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from celery_nexus.errors import Invalid, Unreachable
from celery_nexus.rows.text import safe_lines, safe_text
from celery_nexus.sources import Sources
from nexus_tui.cli.new_file import check_new_file, open_new_file
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options

if TYPE_CHECKING:
    from nexus_tui.bundle.archive import Entry


@click.command()
@click.argument("name", metavar="FILE", help="Where it goes: a .tar.gz; with --list an earlier one.")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@click.option("--list", "is_listed", is_flag=True, help="Show what is in FILE; nothing is written.")
@add_common_options
def bundle(target: Target, name: str, force: bool, is_listed: bool, as_json: bool) -> None:
    """Write what somebody who helps needs to know to FILE, without secrets: doctor, versions, settings, verdicts, logs.

    Works on any application, and with pieces missing: each says why. Read it before you send it on.
    """
    if is_listed:
        _show(Path(name), as_json=as_json)
        return
    from nexus_tui.bundle.archive import collect, write_archive
    from nexus_tui.bundle.inquiry import Inquiry

    if name == "-":
        raise Invalid("a bundle is a file that can be read first: give its name")
    path = check_new_file(Path(name), force=force)
    inquiry = Inquiry(target.door, _open(target))
    entries: list[Entry] = []
    for entry in collect(inquiry):
        entries.append(entry)
        if sys.stderr.isatty():
            click.echo(f"{'✗' if entry.problem else '✓'} {entry.name}", err=True)
    with open_new_file(path, force=force) as file:
        write_archive(file, entries)
    if as_json:
        files = [{"name": row.name, "what": row.what, "missing": row.problem or None} for row in entries]
        print_json({"file": str(path), "bytes": path.stat().st_size, "files": files})
        return
    sizes = ["missing" if row.problem else f"{len(row.text.encode()):,}" for row in entries]
    rows = [(row.name, size, row.problem or row.what) for row, size in zip(entries, sizes, strict=True)]
    print_table(("file", "bytes", "what"), rows, empty="")
    click.echo(f"\n{safe_text(path)}  ({path.stat().st_size:,} bytes). Read it before you send it on: tar xzf FILE")


def _open(target: Target) -> Sources | Unreachable:
    try:
        return target.sources()
    except Unreachable as problem:  # what needs no broker is worth having
        return problem


def _show(path: Path, *, as_json: bool) -> None:
    from nexus_tui.bundle.archive import read_archive

    readme, files = read_archive(path)
    if as_json:
        print_json({"readme": readme, "files": [{"name": name, "bytes": size} for name, size in files]})
        return
    click.echo("\n".join(safe_lines(readme)))
    print_table(("file", "bytes"), files, empty="")


COMMANDS = (bundle,)
