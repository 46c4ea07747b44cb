"""The providers' keys and addresses: only from the environment, under the names that their SDKs use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from workers.errors import NotConfigured
from workers.services.llm.choices import Provider, ProviderChoice

KEY_VARIABLES: dict[Provider, str] = {"claude": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
ADDRESS_VARIABLES: dict[Provider, str] = {"claude": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}
TITLES: dict[Provider, str] = {"claude": "Claude", "openai": "OpenAI"}

_CLAUDE_TOKEN = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105  (a variable's name)


def choose_provider(choice: ProviderChoice) -> Provider:
    """Settle ``auto``: Claude when there is a key for it, else OpenAI.

    Raises:
        NotConfigured: There is no key for the provider, or for any; names the variable.
    """
    if choice != "auto":
        require_key(choice)
        return choice
    for provider in KEY_VARIABLES:
        if has_key(provider):
            return provider
    names = " or ".join(KEY_VARIABLES.values())
    raise NotConfigured(f"no AI provider has a key; set {names} in the worker's environment or in .env")


def has_key(provider: Provider) -> bool:
    """Tell whether the environment holds a key for a provider."""
    names = (KEY_VARIABLES[provider], *((_CLAUDE_TOKEN,) if provider == "claude" else ()))
    return any(os.environ.get(name, "").strip() for name in names)


def require_key(provider: Provider) -> None:
    """Refuse at once when there is no key for a provider.

    Raises:
        NotConfigured: Names the variable.
    """
    if not has_key(provider):
        variable = KEY_VARIABLES[provider]
        raise NotConfigured(f"{TITLES[provider]} has no key; set {variable} in the worker's environment or in .env")


def claude_credentials() -> dict[str, Any]:
    """Options of Anthropic's client.

    Raises:
        NotConfigured: The key is missing, or has characters that no HTTP header carries.
    """
    require_key("claude")
    key = _clean(os.environ, KEY_VARIABLES["claude"])
    return {"api_key": key} if key else {"auth_token": _clean(os.environ, _CLAUDE_TOKEN)}


def openai_credentials() -> dict[str, Any]:
    """Options of OpenAI's client.

    Raises:
        NotConfigured: The key is missing, or has characters that no HTTP header carries.
    """
    require_key("openai")
    return {"api_key": _clean(os.environ, KEY_VARIABLES["openai"])}


def _clean(environment: Mapping[str, str], name: str) -> str | None:
    value = environment.get(name, "").strip()
    if not all("!" <= character <= "~" for character in value):
        raise NotConfigured(f"{name} holds a space or a character that no key has; set it again")
    return value or None
