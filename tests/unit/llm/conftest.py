from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.llm_server import LlmServer, llm_server

KEY = "sk-ant-CANARYKEY0123456789"


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    """A local provider that both SDKs talk to."""
    for name in ("ANTHROPIC_AUTH_TOKEN", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    with llm_server() as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        yield server
