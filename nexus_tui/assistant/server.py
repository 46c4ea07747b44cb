"""The server that an assistant starts: tools over standard input and output."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as ToolDefinition

from celery_nexus.connection.errors import ConfigError
from celery_nexus.errors import SourceError
from nexus_tui.assistant.answers import ANSWER_SCHEMA, UNTRUSTED
from nexus_tui.assistant.opening import Opening
from nexus_tui.assistant.tool import Tool
from nexus_tui.documents import make_safe_text
from nexus_tui.versions import find_version

logger = logging.getLogger(__name__)

NAME = "nexus"
MAX_NAME = 100

_INSTRUCTIONS = (
    "Looks at a Celery application on Redis or Valkey: its queues, messages, workers and runs. Begin with doctor, or "
    "with why NAME when something stands still; then queues, workers, failures, and tasks by a filter. Answers are "
    f"pages: more and next_offset tell of the rest. Secrets are masked as ***. {UNTRUSTED}."
)
_CHANGING = (
    " Tools that change something are dry runs until they are called with dry_run=false and the count that the dry run "
    "told. Show the user the dry run and ask before that. Every change is in the audit log with your name."
)
_LOOKING_ONLY = " Nothing can be changed from here: tell the user the nexus-tui command that would."

Context = ServerRequestContext[Any, Any]


class AssistantServer:
    """Answers one client.

    Args:
        opening: What is looked at.
        tools: What is offered.
    """

    def __init__(self, opening: Opening, tools: tuple[Tool, ...]) -> None:
        self._opening = opening
        self._tools = {tool.name: tool for tool in tools}
        self._can_change = any(tool.is_change for tool in tools)
        self.server: Server[Any] = Server(
            NAME,
            version=find_version(),
            title="Nexus: Celery's queues, workers and runs",
            instructions=_INSTRUCTIONS + (_CHANGING if self._can_change else _LOOKING_ONLY),
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
        )

    async def serve(self) -> None:
        """Answer on standard input and output until the client is gone."""
        try:
            async with stdio_server() as (incoming, outgoing):
                await self.server.run(incoming, outgoing, self.server.create_initialization_options())
        finally:
            self._opening.leave()  # the end of the loop waits for threads

    async def list_tools(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        """List what is offered."""
        del context, params
        return ListToolsResult(tools=[define_tool(tool) for tool in self._tools.values()])

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        """Call a tool in a thread; what goes wrong is one sentence that the assistant can read."""
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, self._explain_absence(params.name))
        call = asyncio.ensure_future(asyncio.to_thread(self._call, tool, name_client(context), params.arguments))
        await asyncio.wait({call})
        error = call.exception()
        if error is None:
            return _write_answer(call.result())
        if not isinstance(error, SourceError | ConfigError | OSError):
            logger.error("%s: an error of its own", tool.name, exc_info=error)
            return _write_problem(f"{tool.name}: an error of its own, {type(error).__name__}: {error}")
        return _write_problem(str(error))

    def _explain_absence(self, name: str) -> str:
        told = f"no tool {make_safe_text(name[:MAX_NAME])!r}; there are {', '.join(self._tools)}"
        return told if self._can_change else f"{told}; what changes something is not offered here"

    def _call(self, tool: Tool, client: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        return tool.call(self._opening.connect(client), arguments)


def define_tool(tool: Tool) -> ToolDefinition:
    """Say of a tool what a client has to know."""
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        input_schema=tool.schema(),
        output_schema=ANSWER_SCHEMA,
        annotations=ToolAnnotations(
            read_only_hint=not tool.is_change,
            destructive_hint=tool.is_change and tool.can_destroy,
            idempotent_hint=not tool.is_change,
            open_world_hint=False,
        ),
    )


def name_client(context: Context) -> str:
    """Name the client as it named itself at the handshake."""
    told = context.session.client_params
    if told is None:
        return "an assistant without a name"
    words = f"{told.client_info.name} {told.client_info.version}".strip()
    return " ".join(make_safe_text(words[:MAX_NAME]).split()) or "an assistant without a name"


def _write_answer(answer: dict[str, Any]) -> CallToolResult:
    text = json.dumps(answer, ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=answer)


def _write_problem(text: str) -> CallToolResult:
    sentence = " ".join(make_safe_text(text).split())
    return CallToolResult(content=[TextContent(type="text", text=sentence)], is_error=True)
