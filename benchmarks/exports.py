"""Memory of an export of a million rows, beside holding them: ``python -m benchmarks.exports [--json]``.

Each side runs in a process of its own, in turn, on the same file of JSON lines. The peer, for the formats that it
writes, reads the file into a polars dataframe and writes that.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.apparatus.lacks import run_child
from benchmarks.apparatus.report import Figure, at_least, at_most, run

ROWS = 1_000_000
LIMIT_MB = 250
FORMATS = ("csv", "tsv", "json", "jsonl", "xlsx", "parquet", "html", "xml")
PEERS = ("csv", "parquet", "jsonl")


def export_ours(folder: Path, format_: str) -> None:
    """Export as the task does; prints the peak memory in MB."""
    from workers.services.exports.export import export
    from workers.services.exports.sources import from_file
    from workers.services.progress import ignore_progress
    from workers.services.storage import OutputFolder

    output = OutputFolder(folder, folder / "out", source=folder)
    export(from_file(folder, "rows.jsonl"), format_, output, None, folder / "tmp", ignore_progress)
    print(_peak_mb())


def export_peer(folder: Path, format_: str) -> None:
    """Export through a dataframe; prints the peak memory in MB."""
    import polars as pl

    frame = pl.read_ndjson(folder / "rows.jsonl")
    write = {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[format_]
    write(folder / f"peer.{format_}")
    print(_peak_mb())


def measure() -> Sequence[Figure]:
    """Measure the peak memory of exports of a million rows."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as name:
        folder = Path(name)
        _write_rows(folder / "rows.jsonl")
        for format_ in FORMATS:
            ours = _in_child("ours", folder, format_)
            figures.append(at_most(f"{format_}_peak", [ours], LIMIT_MB, unit="MB"))
            if format_ in PEERS:
                saved = _in_child("peer", folder, format_) / ours
                figures.append(at_least(f"{format_}_memory", [saved], 1.5, peer="a polars dataframe"))
    return figures


def _write_rows(path: Path) -> None:
    with path.open("w") as file:
        for number in range(ROWS):
            row = {"id": number, "name": f"name {number}", "amount": number * 1.5, "note": "plain text", "paid": True}
            file.write(json.dumps(row) + "\n")


def _in_child(side: str, folder: Path, format_: str) -> float:
    command = [sys.executable, "-m", "benchmarks.exports", side, str(folder), format_]
    return float(run_child(command).split()[-1])


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sides = {"ours": export_ours, "peer": export_peer}
    if len(sys.argv) == 4 and sys.argv[1] in sides:
        sides[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
    else:
        run(measure)
