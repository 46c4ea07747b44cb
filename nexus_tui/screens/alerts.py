"""Alerts: rules over the whole application, what is raised, since when, and who was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from celery_nexus.actions.alerts import EndSilence, SilenceRule
from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows import moment
from celery_nexus.rows.alerts import AlertReport, ChannelStatus, OpenAlert, RuleStatus
from celery_nexus.rows.text import age, clock, number, safe_text
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.beside import ListScreen
from nexus_tui.screens.bases.reading import ReadingScreen, require_present
from nexus_tui.screens.frame.host import Blank, Choice
from nexus_tui.screens.frame.offers import bindings
from nexus_tui.screens.panes.details import tell_fact
from nexus_tui.screens.tables.cells import Cells, text
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.arrangement import HEALTHY, Arrangement
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.table import Table

SILENT_FOR = "1h"
MOST_ALERTS = 100

_LOOKS = {
    "raised": ("✗", "bad"),
    "pending": ("▲", "warn"),
    "silenced": ("∥", "warn"),
    "ok": ("✓", "good"),
    "off": ("·", "dim"),
}

COLUMNS = (
    Column("STATE", 11, field=Field("state", Kind.NAME)),
    Column("RULE", 16, flex=1, field=Field("rule", Kind.NAME, lambda row: row.name)),
    Column("SEEN", 32, flex=4, field=Field("seen", Kind.TEXT, lambda row: tuple(one.text for one in row.alerts))),
    Column("SINCE", 9, right=True),
    Column("SEVERITY", 9, field=Field("severity", Kind.NAME)),
    Column("TELLS", 14, flex=1, field=Field("channel", Kind.NAME, lambda row: row.channels)),
    Column("CONDITION", 24, flex=2, field=Field("condition")),
)


class AlertsScreen(ArrangedScreen, ListScreen, ReadingScreen[AlertReport]):
    """Alert rules, those that are raised first; Enter goes where the trouble is, M tells nothing of one for a while."""

    view = "pulse"
    source = "alerts"
    interval_s = 3.0
    calm_s = 5.0

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(SilenceRule, EndSilence)]

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        table = Table(
            COLUMNS,
            self._cells,
            lambda row: row.name,
            title="Alerts",
            empty="There is no rule",
            ageing=True,
            arrangement=Arrangement(COLUMNS, weigh_rule),
            id="rows",
        )
        yield from self.list_and_detail(table)

    @property
    def path(self) -> str:
        """Say whether somebody looks."""
        report = self.value
        if report is None or report.is_watched:
            return "alerts"
        return "alerts · nobody watches: nexus-tui watch, or the guardian of a stack, does"

    def draw(self, now: datetime) -> None:
        """Show the rules."""
        table, report, stale = self.query_one("#rows", Table), self.value, self.trouble(now)
        if report is not None:
            table.fill(report.rules)
            stale = stale or "; ".join(safe_text(mistake, 120) for mistake in report.mistakes)
            table.say(stale=stale, note=safe_text(report.path, 60))
        self.show_detail(now)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the rule under the cursor."""
        channels = {channel.name: channel for channel in self.value.channels} if self.value else {}
        return safe_text(item.name), list(describe_rule(item, channels, now))

    def read(self) -> AlertReport:
        """Read the rules with their state."""
        from celery_nexus.alerts.source import AlertSource

        require_present(self.host)
        return AlertSource.open(self.host.sources).read()

    def read_selection(self) -> Any:
        """Return the rule under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    def offer_silence(self) -> None:
        """Ask to tell nothing of a rule for a while, or to tell of it again."""
        rule: RuleStatus | None = self.read_selection()
        if rule is None:
            return
        if rule.silence is not None:
            self.host.ask(f"Rule {safe_text(rule.name, 60)}", [Choice.of(EndSilence(rule.name), "tell of it again")])
            return
        name = rule.name
        choice = Choice.of(
            SilenceRule(name, SILENT_FOR, ("why",)),
            "tell nothing of it for a while",
            blanks=(
                Blank("for how long", SILENT_FOR, "30m, 2h, 1d"),
                Blank("why", "", "who comes next has to know it"),
            ),
            fill=lambda typed: SilenceRule.from_command({"rule": name, "for_": typed[0], "reason": typed[1].split()}),
        )
        self.host.ask(f"Silence {safe_text(name, 60)}", [choice], lambda _outcome: self.action_read_again())

    def action_why(self) -> None:
        """Say what was seen."""
        rule: RuleStatus | None = self.read_selection()
        if rule is not None:
            self.host.tell("; ".join(alert.text for alert in rule.alerts) or f"{rule.name}: {rule.condition}")

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        """Go to the queue or worker that the rule was raised for, or to the dead letters."""
        rule: RuleStatus = event.item
        if rule.kind == "dead letters":
            self.host.obey("dead-letters")
            return
        if not rule.alerts or self.host.obey(rule.alerts[0].subject):
            self.action_raw()

    def _cells(self, row: RuleStatus) -> Cells:
        return rule_cells(row, moment.now())


def weigh_rule(row: RuleStatus) -> int:
    """Return how bad it is: 0 when it is raised, 1 when it may be soon or nothing is told of it, 2 when all is well."""
    return {"raised": 0, "pending": 1, "silenced": 1}.get(row.state, HEALTHY)


def rule_cells(row: RuleStatus, now: datetime) -> Cells:
    """Draw a rule."""
    sign, look = _LOOKS[row.state]
    more = f" and {number(len(row.alerts) - 1)} more" if len(row.alerts) > 1 else ""
    seen = f"{row.alerts[0].subject}: {row.alerts[0].text}{more}" if row.alerts else ""
    since = "" if row.since is None else f"{age((now - row.since).total_seconds())} ago"
    return (
        ((f"{sign} {row.state}", look),),
        text(row.name, "strong" if row.state == "raised" else "plain"),
        text(seen),
        ((since, "plain"),),
        text(row.severity, "bad" if row.severity == "critical" else "warn"),
        text(", ".join(row.channels) or "nobody", "plain" if row.channels else "dim"),
        text(row.condition, "dim"),
    )


def describe_rule(row: RuleStatus, channels: dict[str, ChannelStatus], now: datetime) -> Iterator[Line]:
    """Say when it is raised, what is open, who is told, and what they did not take yet."""
    sign, look = _LOOKS[row.state]
    yield tell_fact("state", ((f"{sign} {row.state}", look),))
    yield tell_fact("raised when", text(row.condition))
    if row.silence is not None:
        by = f"until {clock(row.silence.until, now)} by {row.silence.by}: {row.silence.reason}"
        yield tell_fact("silenced", text(by, "warn"))
    for place, alert in enumerate(row.alerts[:MOST_ALERTS]):
        yield tell_fact("" if place else "open", _alert(alert, now))
    if not row.channels:
        yield tell_fact("tells", (("nobody: the rules file names channels", "dim"),))
    for place, name in enumerate(row.channels):
        yield tell_fact("" if place else "tells", _channel(name, channels.get(name), now))


def _alert(alert: OpenAlert, now: datetime) -> Line:
    sign, look = _LOOKS[alert.state]
    since = f"  {alert.state} {age((now - (alert.raised_at or alert.since)).total_seconds())} ago"
    told = "" if alert.is_told or alert.state == "pending" else ", nobody was told"
    return ((f"{sign} ", look), *text(f"{alert.subject}: {alert.text}"), (f"{since}{told}", "dim"))


def _channel(name: str, channel: ChannelStatus | None, now: datetime) -> Line:
    if channel is None:
        return text(f"{name}: the rules file has no such channel", "bad")
    if not channel.problem:
        return (
            *text(f"{name} ({channel.type})"),
            (f", {number(channel.waiting)} waiting" if channel.waiting else "", "dim"),
        )
    again = f", again {clock(channel.next_try_at, now)}" if channel.next_try_at else ""
    return text(f"{name}: {channel.problem}{again}; {number(channel.waiting)} waiting", "warn")
