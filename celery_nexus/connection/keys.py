"""Names in Redis and in messages that workers and the dashboard share."""

SENT_AT_HEADER = "nexus_sent_at"
"""Header of a message: when it was published, in seconds since the epoch; Celery's own headers carry no time."""

RESULT_KEY = "celery-task-meta-"
"""Prefix, before a run's id, of its record in Celery's Redis result backend."""

EVENT_STREAM = "nexus:events"
"""Stream of every event; an entry has one field, :data:`EVENT_FIELD`, the event as JSON."""

EVENT_FIELD = b"d"

EVENT_STREAM_LENGTH = 200_000
"""Approximate length of the event stream: older entries are trimmed, read or not."""

RECORDER_TROUBLE = "nexus:recorder:trouble"
"""Reason why the recorder can't record now, one line; expires within a minute of the trouble's end."""

RECORDER_BEAT = "nexus:recorder:beat"
"""Position of our own stack's recorder in the stream: the id of an entry. Its time to live says since when."""

RECORDER_BEAT_FOR_S = 30 * 24 * 3600
"""Time to live of each beat."""

GUARDIAN_BEAT = "nexus:guardian:beat"
"""Sign of life of the guardian; expires soon after its last look at the leases."""

GUARDIAN_BEAT_FOR_S = 15

WORKER_HASH = "nexus:workers"
"""Hash of a node's name to its last heartbeat as JSON (``timestamp``, ``pid``, ``active``, ``processed`` …)."""

REVOKED_SET = "nexus:revoked"
"""Sorted set of the ids of revoked runs, by the time of the revoke: what must never start, whoever restarts."""

REVOKED_STAMPS = "nexus:revoked:stamps"
"""Sorted set of revoked stamps, each JSON ``[header, stamp]``, by the time of the revoke."""

REVOKED_FOR_S = 30 * 24 * 3600
"""Time for which a revoked id is remembered."""

PAUSED_HASH = "nexus:paused"
"""Hash of a paused queue's name to JSON: since when (``at``), and the ``workers`` that consumed it then."""

ORDERS_HASH = "nexus:orders"
"""Hash of an order (``pool NODE``, ``consumer NODE QUEUE``, ``rate TASK``, ``time TASK``) to JSON: what workers are to
obey whenever they start."""

TRASH_HASH = "nexus:trash"
"""Hash of a token to JSON that says what can be undone; what was taken lies in ``nexus:trash:<token>…``."""

TRASH_FOR_S = 24 * 3600
"""Time for which a change can be undone."""

AUDIT_STREAM = "nexus:audit"
"""Stream of every change by an operator; an entry has one field ``d``, JSON."""

SCHEDULED_MAIL_DUE = "nexus:scheduled-mail:due"
"""Sorted set of the ids of mails that wait for their time, by that time."""

SCHEDULED_MAIL_CLAIMED = "nexus:scheduled-mail:claimed"
"""Sorted set of the ids of mails that are being handed to the queue, by when that began."""

SCHEDULED_MAIL_CLAIM_S = 30
"""Age after which a claimed mail that is not gone is handed to the queue again."""

ALERT_STREAM = "nexus:alerts"
"""Capped stream of what was raised and cleared: ``event``, ``name``, ``verdict``, ``message``, ``at``."""

OPEN_ALERTS = "nexus:alerts:open"
"""Hash of the alerts that are open now: name to the same fields as JSON."""

BEAT_LOCK = "redbeat::lock"
"""Key that the beat at work holds: RedBeat's own default (``redbeat_key_prefix`` and ``:lock``)."""

BEAT_SCHEDULE = "redbeat::schedule"
"""Sorted set of RedBeat's entries by when they are due."""
