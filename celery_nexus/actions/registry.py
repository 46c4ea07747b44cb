"""Registry of all actions, in the order in which help and reference list them."""

from __future__ import annotations

from celery_nexus.actions.again import RunAgain
from celery_nexus.actions.alerts import EndSilence, SilenceRule
from celery_nexus.actions.base import Action
from celery_nexus.actions.chords import FinishChords
from celery_nexus.actions.dead_letters import DropDeadLetters, RetryDeadLetters
from celery_nexus.actions.footprint import RemoveFootprint
from celery_nexus.actions.history import CompactHistory, ImportRuns
from celery_nexus.actions.marks import MarkMoment
from celery_nexus.actions.messages import ChangePriority, ChangeTime, DeleteMessages, MoveMessages
from celery_nexus.actions.queues import PauseQueue, PurgeQueue, ReclaimMessages, ResumeQueue, Undo
from celery_nexus.actions.replies import RemoveReplies
from celery_nexus.actions.runs import Revoke
from celery_nexus.actions.schedule import BackfillEntry, PauseEntry, ResumeEntry, RunEntry, SkipEntry
from celery_nexus.actions.submit import Submit
from celery_nexus.actions.workers.consumers import AddConsumer, CancelConsumer, Drain, ForgetOrders, ShutdownWorker
from celery_nexus.actions.workers.drained_restart import DrainRestart
from celery_nexus.actions.workers.events import DisableEvents, EnableEvents
from celery_nexus.actions.workers.limits import RateLimit, TimeLimit
from celery_nexus.actions.workers.pools import Autoscale, GrowPool, RestartPool, Scale, ShrinkPool
from celery_nexus.actions.workers.programs import RestartProgram, StartProgram, StopProgram

ACTIONS: tuple[type[Action], ...] = (
    StartProgram,
    StopProgram,
    RestartProgram,
    RetryDeadLetters,
    DropDeadLetters,
    FinishChords,
    Submit,
    RunAgain,
    Revoke,
    ChangePriority,
    ChangeTime,
    MoveMessages,
    DeleteMessages,
    Undo,
    PauseQueue,
    ResumeQueue,
    PurgeQueue,
    ReclaimMessages,
    Scale,
    Drain,
    DrainRestart,
    GrowPool,
    ShrinkPool,
    Autoscale,
    RestartPool,
    ShutdownWorker,
    AddConsumer,
    CancelConsumer,
    RateLimit,
    TimeLimit,
    ForgetOrders,
    EnableEvents,
    DisableEvents,
    RunEntry,
    PauseEntry,
    ResumeEntry,
    SkipEntry,
    BackfillEntry,
    SilenceRule,
    EndSilence,
    MarkMoment,
    CompactHistory,
    ImportRuns,
    RemoveFootprint,
    RemoveReplies,
)
"""All actions; keys, commands, help and ``docs/commands.md`` follow from them."""

ACTION_NAMES = frozenset(action.name() for action in ACTIONS)
"""Names that a context's ``allow`` may have."""
