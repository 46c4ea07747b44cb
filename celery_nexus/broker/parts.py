"""Parts of the broker source, each loaded at its first use, so that reading does not pay for editing."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import redis

from celery_nexus.application_code import NO_CODE, ApplicationCode
from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.delivery.layout import Layout

if TYPE_CHECKING:
    from celery_nexus.broker.bulk.bulk_edit import Bulk
    from celery_nexus.broker.bulk.lists import Lists
    from celery_nexus.broker.edit.announcements import Announcements
    from celery_nexus.broker.edit.audit import AuditLog
    from celery_nexus.broker.edit.reviving import Reviver
    from celery_nexus.broker.edit.surgery import Surgeon
    from celery_nexus.broker.read.browse import Browser
    from celery_nexus.broker.read.in_flight import Holdings
    from celery_nexus.broker.read.search import MessageSearch
    from celery_nexus.broker.read.select import Selector
    from celery_nexus.broker.read.unread import UnreadLists
    from celery_nexus.broker.undo.undo import Restorer
    from celery_nexus.rows.selection import Selection

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Parts:
    """What reads and changes the queues of one application, on two connections.

    Args:
        url: The broker.
        layout: Of the application's keys.
        is_own: Whether it is our own stack; elsewhere what we write expires.
        connections: Those of other parts of the same broker; None opens new ones.
        code: The application's code, which says what is private.
    """

    def __init__(
        self,
        url: BrokerUrl,
        layout: Layout,
        *,
        is_own: bool = True,
        connections: tuple[redis.Redis, redis.Redis] | None = None,
        code: ApplicationCode = NO_CODE,
    ) -> None:
        self.url = url
        self.layout = layout
        self.is_own = is_own
        self.code = code
        # A change is never repeated behind the operator's back
        self.reader, self.writer = connections or (connect(url, attempts=2), connect(url))

    def of(self, layout: Layout) -> Parts:
        """Make the parts of another layout, on the same connections."""
        connections = (self.reader, self.writer)
        return Parts(self.url, layout, is_own=self.is_own, connections=connections, code=self.code)

    @cached_property
    def audit(self) -> AuditLog:
        """The log of every change."""
        from celery_nexus.broker.edit.audit import AuditLog
        from celery_nexus.broker.edit.footprint import AUDIT_FOR_S

        return AuditLog(self.writer, self.layout, self.url, None if self.is_own else AUDIT_FOR_S)

    def search(self, selection: Selection, *, shown_as: str) -> MessageSearch:
        """Begin to look for messages that match a filter."""
        from celery_nexus.broker.read.search import MessageSearch

        return MessageSearch(self.reader, self.layout, selection, self.url, code=self.code, shown_as=shown_as)

    @cached_property
    def browser(self) -> Browser:
        """Looks through lists."""
        from celery_nexus.broker.read.browse import Browser

        is_near = self.url.path is not None or self.url.host in _LOOPBACK
        return Browser(self.reader, self.layout, self.code, is_near=is_near)

    @cached_property
    def announcements(self) -> Announcements:
        """Tells workers and recorder of changes."""
        from celery_nexus.broker.edit.announcements import Announcements

        return Announcements(self.writer, self.layout, self.code.result_expires_s)

    @cached_property
    def reviver(self) -> Reviver:
        """Lets runs wait again whose deletion is taken back."""
        from celery_nexus.broker.edit.reviving import Reviver

        return Reviver(self.writer, self.layout, self.announcements, self._lists.insist, is_own=self.is_own)

    @cached_property
    def holdings(self) -> Holdings:
        """Says who holds what in flight."""
        from celery_nexus.broker.read.in_flight import Holdings

        return Holdings(self.reader, self.layout)

    @cached_property
    def selector(self) -> Selector:
        """Finds what matches a filter."""
        from celery_nexus.broker.read.select import Selector

        return Selector(self.reader, self.layout)

    @cached_property
    def surgeon(self) -> Surgeon:
        """Changes single messages and whole queues."""
        from celery_nexus.broker.edit.footprint import PAUSE_FOR_S
        from celery_nexus.broker.edit.surgery import Surgeon

        return Surgeon(self.writer, self.layout, None if self.is_own else PAUSE_FOR_S)

    @cached_property
    def unread(self) -> UnreadLists:
        """Finds lists that nobody reads."""
        from celery_nexus.broker.read.unread import UnreadLists

        return UnreadLists(self.writer, self.layout)

    @cached_property
    def bulk(self) -> Bulk:
        """Changes many messages."""
        from celery_nexus.broker.bulk.bulk_edit import Bulk

        return Bulk(self._lists)

    @cached_property
    def restorer(self) -> Restorer:
        """Takes changes back."""
        from celery_nexus.broker.undo.undo import Restorer

        return Restorer(self.writer, self._lists, self.surgeon.trash, self.bulk)

    @cached_property
    def _lists(self) -> Lists:
        from celery_nexus.broker.bulk.lists import Lists

        return Lists(self.writer, self.layout, self.surgeon.trash, lambda: translate_errors(self.url))
