"""Registry of all actions, in the order in which help and reference list them."""

from __future__ import annotations

from nexus_tui.actions.again import RunAgain
from nexus_tui.actions.base import Action
from nexus_tui.actions.chords import FinishChords
from nexus_tui.actions.dead_letters import DropDeadLetters, RetryDeadLetters
from nexus_tui.actions.footprint import RemoveFootprint
from nexus_tui.actions.history import CompactHistory, ImportRuns
from nexus_tui.actions.messages import ChangePriority, ChangeTime, DeleteMessages, MoveMessages
from nexus_tui.actions.queues import PauseQueue, PurgeQueue, ReclaimMessages, ResumeQueue, Undo
from nexus_tui.actions.replies import RemoveReplies
from nexus_tui.actions.runs import Revoke
from nexus_tui.actions.schedule import BackfillEntry, PauseEntry, ResumeEntry, RunEntry, SkipEntry
from nexus_tui.actions.submit import Submit
from nexus_tui.actions.workers.consumers import AddConsumer, CancelConsumer, Drain, ForgetOrders, ShutdownWorker
from nexus_tui.actions.workers.events import DisableEvents, EnableEvents
from nexus_tui.actions.workers.limits import RateLimit, TimeLimit
from nexus_tui.actions.workers.pools import Autoscale, GrowPool, RestartPool, Scale, ShrinkPool
from nexus_tui.actions.workers.programs import RestartProgram, StartProgram, StopProgram

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
    CompactHistory,
    ImportRuns,
    RemoveFootprint,
    RemoveReplies,
)
"""All actions; keys, commands, help and ``docs/commands.md`` follow from them."""

ACTION_NAMES = frozenset(action.name() for action in ACTIONS)
"""Names that a context's ``allow`` may have."""
