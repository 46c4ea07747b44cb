"""Silences of alert rules by the public Python interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_nexus.actions.alerts import EndSilence, SilenceRule
from celery_nexus.client.changing import Changing

if TYPE_CHECKING:
    from celery_nexus.rows.outcomes import Outcome


class AlertChanges(Changing):
    """Silence alert rules, and end a silence."""

    def alerts_silence(self, rule: str, span: str, reason: str) -> Outcome:
        """Tell nothing of an alert rule for a while (``2h``, ``1d``); a reason is asked for.

        >>> nexus.alerts_silence("depth", "2h", "a deploy").done
        True
        """
        return self.perform(SilenceRule(rule, span, (reason,)))

    def alerts_unsilence(self, rule: str) -> Outcome:
        """Tell of an alert rule again, before its silence ends.

        >>> nexus.alerts_unsilence("depth").message
        'depth: is told again'
        """
        return self.perform(EndSilence(rule))
