"""Declaration of a channel, with its variables unexpanded, and the failure that all channels raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from celery_nexus.privacy.masking import mask_text
from celery_nexus.privacy.secret_text import MASK
from celery_nexus.rows.text import safe_text
from celery_nexus.times import read_span
from celery_nexus.user_files import expand_texts, list_variables

TIMEOUT_S = 10.0
LEAST_SECRET = 4
"""Length of a variable's value from which it is taken out of messages: shorter ones are in any text."""


class ChannelFailed(Exception):
    """A channel did not take a notice; says why, in one line without secrets."""


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One channel, as the rules file says it: its texts still have their ``${VARIABLES}``.

    Attributes:
        name: Its name.
        type: ``webhook``, ``mail``, ``command`` or ``apprise``.
        table: Its keys.
    """

    name: str
    type: str
    table: Mapping[str, Any] = field(repr=False)

    @property
    def timeout_s(self) -> float:
        """How long it may take, in seconds."""
        return read_span(self.table.get("timeout")) or TIMEOUT_S

    def expand(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """Return its keys with the variables' values in their places.

        Raises:
            ChannelFailed: A variable is not set.
        """
        names = dict.fromkeys(list_variables(self.table))
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise ChannelFailed(f"the variable {missing[0]} is not set where alerts are watched: export it first")
        return expand_texts(dict(self.table), environment)

    def hide_secrets(self, text: str, environment: Mapping[str, str]) -> str:
        """Take what its variables hold, and whatever else is a secret, out of a text."""
        for name in list_variables(self.table):
            value = environment.get(name, "")
            if len(value) >= LEAST_SECRET:
                text = text.replace(value, MASK)
        return safe_text(mask_text(text), 300)
