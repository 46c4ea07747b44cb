"""The ``NEXUS_*`` environment: every setting, its default, and where its value came from."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values, load_dotenv
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.errors import BrokerUrlError, ConfigError
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.private_files import make_private
from celery_nexus.rows.settings import Setting
from config.paths import DEFAULT_HOME, ROOT, PlatformPaths

ENV_PREFIX = "NEXUS_"
ENV_FILE = ROOT / ".env"
SDK_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL")
"""Read by the AI providers' own SDKs; shown by ``nexus-tui config`` beside ours."""

_SECRETS = frozenset({"redis_url", "smtp_url", "anthropic_api_key", "openai_api_key"})


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  (a link stays the link that was named)


def _is_redis(url: SecretStr) -> SecretStr:
    try:
        BrokerUrl.parse(url.get_secret_value())
    except BrokerUrlError as error:
        raise ValueError(str(error)) from None
    return url


Folder = Annotated[Path, AfterValidator(_absolute)]
RedisUrl = Annotated[SecretStr, AfterValidator(_is_redis)]


class Settings(BaseSettings):
    """What an operator can set. Each field is ``NEXUS_<NAME>`` in the environment or in ``.env``."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True
    )

    redis_url: RedisUrl | None = Field(default=None, description="broker to use instead of the embedded one")
    home: Folder = Field(default=DEFAULT_HOME, description="folder of all run-time files")
    delivery: Literal["reliable", "stock"] = Field(default="reliable", description="transport of the workers")
    supervised: bool = Field(default=True, description="whether supervisord runs the programs; in containers none does")
    read_only: bool = Field(default=False, description="refuse every change")
    smtp_url: SecretStr | None = Field(default=None, description="mail server; without one, mail goes to files")
    mail_from: str = Field(default="nexus@localhost", description="sender of mail that names none")
    upload_root: Folder | None = Field(default=None, description="tasks read files below this folder only")
    output_root: Folder | None = Field(default=None, description="tasks write files below this folder only")
    claude_model: str = Field(default="claude-sonnet-5-5", description="model of Claude tasks that name none")
    openai_model: str = Field(default="gpt-4o-mini", description="model of OpenAI tasks that name none")

    @property
    def paths(self) -> PlatformPaths:
        """Where the run-time files of this stack are."""
        return PlatformPaths.of(self.home)

    @property
    def uploads(self) -> Path:
        """The folder below which tasks may read."""
        return self.upload_root or self.paths.uploads

    @property
    def outputs(self) -> Path:
        """The folder below which tasks may write."""
        return self.output_root or self.paths.outputs

    def make_folders(self) -> None:
        """Create the folders of run-time files, and those that tasks read and write, where they are missing.

        Raises:
            OSError: One can't be created or written, or is not ours.
        """
        self.paths.make()
        self.make_task_folders()

    def make_task_folders(self) -> None:
        """Create the folders that tasks read and write, where they are missing: a worker may be started without ``up``.

        Raises:
            OSError: One can't be created.
        """
        for folder in (self.uploads, self.outputs, self.paths.temporary):
            if not folder.exists():
                make_private(folder)

    @property
    def embedded(self) -> bool:
        """Whether the stack runs its own broker."""
        return self.redis_url is None

    @property
    def broker(self) -> BrokerUrl:
        """Address of the broker in force; makes the embedded one's password at first use."""
        if self.redis_url is not None:
            return BrokerUrl.parse(self.redis_url.get_secret_value())
        return BrokerUrl.for_socket(self.paths.broker_socket, read_embedded_password(self.paths))


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings in force for this process, read once.

    Raises:
        ConfigError: A variable has a value that can't be used; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None


def export_env_file() -> None:
    """Put what ``.env`` says into the environment, for SDKs that read only that. The environment wins."""
    load_dotenv(ENV_FILE, override=False)


def describe(current: Settings, *, reveal: bool = False) -> list[Setting]:
    """List every setting with its source; secrets are masked unless ``reveal``."""
    env_file = dotenv_values(ENV_FILE)

    def source_of(variable: str) -> str:
        if os.environ.get(variable):
            return f"environment {variable}"
        return f"{ENV_FILE.name} file" if env_file.get(variable) else "default"

    rows: list[Setting] = []
    for name in Settings.model_fields:
        value: object = getattr(current, name)
        if name == "redis_url":
            value = current.broker.redis_py if reveal else current.broker.masked
        elif name in ("upload_root", "output_root"):
            value = current.uploads if name == "upload_root" else current.outputs
        elif isinstance(value, SecretStr):
            value = value.get_secret_value() if reveal else _mask_url(value.get_secret_value())
        shown = value if isinstance(value, bool | None) else str(value)
        rows.append(Setting(name, shown, source_of(ENV_PREFIX + name.upper())))
    for variable in SDK_VARIABLES:
        value = os.environ.get(variable) or env_file.get(variable)
        if value and variable.lower() in _SECRETS and not reveal:
            value = "***"
        rows.append(Setting(variable.lower(), value, source_of(variable)))
    return rows


def _explain(error: ValidationError) -> str:
    return "; ".join(
        f"{ENV_PREFIX}{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_input=False, include_url=False)
    )


def _mask_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    _, at, place = rest.rpartition("@")
    return f"{scheme}://{'***@' if at else ''}{place}"
