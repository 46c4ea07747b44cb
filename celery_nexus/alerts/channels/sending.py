"""Sending of one message by one channel: variables expanded, failures without secrets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from celery_nexus.alerts.channels import command, mail, services, webhook
from celery_nexus.alerts.channels.message import AlertMessage
from celery_nexus.alerts.channels.spec import ChannelFailed, ChannelSpec

Send = Callable[[Mapping[str, Any], AlertMessage, float], None]

SENDERS: Mapping[str, Send] = {
    "webhook": webhook.send,
    "mail": mail.send,
    "command": command.send,
    "apprise": services.send,
}
"""Functions that send, by the type of a channel."""


def send(channel: ChannelSpec, message: AlertMessage, environment: Mapping[str, str] = os.environ) -> None:
    """Tell a channel.

    Raises:
        ChannelFailed: It did not take it; the words hold no secret.
    """
    try:
        SENDERS[channel.type](channel.expand(environment), message, channel.timeout_s)
    except ChannelFailed as problem:
        raise ChannelFailed(channel.hide_secrets(str(problem), environment)) from None
