"""The order in which pytest-xdist gives tests to its processes."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

from tests.harness.lanes import lane_of


class ByLane(LoadScopeScheduling):
    """Gives whole files to the processes, and areas that go together as one, in the order in which they were found."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)
