"""Run the faults and print what was seen."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from benchmarks.faults.faults import FAULTS, LONG, SHORT, Seen


def main() -> None:
    """Run the faults that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of: {', '.join(FAULTS)}; all when left out")
    parser.add_argument("--delivery", choices=("reliable", "stock"), default="reliable")
    parser.add_argument("--short", action="store_true", help="a small scale")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    unknown = [name for name in options.faults if name not in FAULTS]
    if unknown:
        parser.error(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    scale = SHORT if options.short else LONG
    seen: dict[str, Seen] = {}
    for name in options.faults or FAULTS:
        seen[name] = FAULTS[name](options.delivery, scale)
        if not options.json:
            print(_line(name, seen[name]), flush=True)
    if options.json:
        print(json.dumps({name: asdict(what) | {"lost": what.lost} for name, what in seen.items()}))
    raise SystemExit(0 if all(what.holds for what in seen.values()) else 1)


def _line(name: str, seen: Seen) -> str:
    recovery = "" if seen.recovery_s is None else f", went on after {seen.recovery_s:.1f} s"
    return (
        f"{name}: {'holds' if seen.holds else 'BROKEN'}: {seen.published} published, {seen.lost} lost, "
        f"{seen.stuck} stuck, {seen.twice} run twice, {seen.exits} worker exits{recovery} {seen.note}"
    )


if __name__ == "__main__":
    main()
