"""Run the faults and print what was seen."""

from __future__ import annotations

import argparse
import json

from benchmarks.delivery.peer import has_peer
from benchmarks.faults import long_kills, table
from benchmarks.faults.faults import FAULTS
from benchmarks.faults.seen import LONG, SHORT, Seen


def main() -> None:
    """Run the faults that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of: {', '.join(FAULTS)}; all when left out")
    parser.add_argument("--delivery", choices=("reliable", "stock", "peer", "both", "all"), default="reliable")
    parser.add_argument("--short", action="store_true", help="a small scale, and only the faults that fit in a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--record", action="store_true", help="keep the figures in docs/reliability.json and its table")
    long_kills.add_options(parser)
    options = parser.parse_args()
    if options.long:
        if options.faults != ["kills"]:
            parser.error("only kills has a long form: kills --long")
        raise SystemExit(long_kills.main(options))
    unknown = [name for name in options.faults if name not in FAULTS]
    if unknown:
        parser.error(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    scale = SHORT if options.short else LONG
    chosen = options.faults or [name for name, fault in FAULTS.items() if fault.is_short or not options.short]
    deliveries = {"both": ("reliable", "stock"), "all": ("reliable", "stock", "peer")}.get(
        options.delivery, (options.delivery,)
    )
    if "peer" in deliveries and not has_peer():
        deliveries = tuple(name for name in deliveries if name != "peer")
    found: dict[str, dict[str, Seen]] = {}
    for name in chosen:
        for delivery in deliveries:
            if delivery == "peer" and not FAULTS[name].has_peer:
                continue
            what = found.setdefault(name, {})[delivery] = FAULTS[name].run(delivery, scale)
            if options.record:
                table.record(name, delivery, what)
            if not options.json:
                print(_line(name, delivery, what), flush=True)
    if options.json:
        print(json.dumps({name: {side: what.told for side, what in sides.items()} for name, sides in found.items()}))
    ours = [sides["reliable"].holds for sides in found.values() if "reliable" in sides]
    raise SystemExit(0 if all(ours) else 1)


def _line(name: str, delivery: str, seen: Seen) -> str:
    recovery = "" if seen.recovery_s is None else f", {seen.recovery_s:.1f} s"
    sheet = "" if seen.unbalanced is None else f"; sheet {'adds up' if not seen.unbalanced else seen.unbalanced}"
    return (
        f"{name} ({delivery}): {'holds' if seen.holds else 'BROKEN'}: {seen.published} published, {seen.lost} lost, "
        f"{seen.stuck} stuck, {seen.twice} run twice, {seen.exits} worker exits{recovery}{sheet}; {seen.note}"
    )


if __name__ == "__main__":
    main()
