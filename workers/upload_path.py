"""The type of arguments that name an uploaded file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from celery_nexus.runtime.argument_types import PathMarker
from config.settings import settings
from workers.errors import FileMissing, PathNotAllowed
from workers.services import storage


def _uploaded(name: str, info: ValidationInfo) -> str:
    try:
        return str(storage.find(settings().uploads, name))
    except (FileMissing, PathNotAllowed) as error:
        raise type(error)(f"{info.field_name}: {str(error).removeprefix(f'{error.code}: ')}") from None


UploadPath = Annotated[str, PathMarker(), AfterValidator(_uploaded)]
"""A file below the upload root, named relative to it or absolutely; the task gets its absolute path.

Checked where a run is submitted and again where it starts; the message carries what the caller wrote.
"""
