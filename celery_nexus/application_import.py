"""Import of an application by the name that ``celery -A`` takes; a failure is told in one line."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Generator, Sequence
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from celery_nexus.errors import Invalid
from celery_nexus.privacy.masking import mask_text

if TYPE_CHECKING:
    from celery import Celery

PATIENCE_S = 5.0
"""An import that takes longer is reported with the line where it is: most often it waits for a server."""

_OUTPUT, _ERROR = 1, 2
"""File descriptors of standard output and error, as a library or a program that is started writes to them."""

Found = TypeVar("Found")


def import_application(name: str, *, with_tasks: bool = True) -> Celery:
    """Import an application and its tasks, found as ``celery -A name`` finds it.

    The working directory is put on ``sys.path``, as Celery does. What the application prints goes to standard error.

    Args:
        name: ``module:attribute``, ``module.attribute``, a module with ``app`` or ``celery``, or a package with such a
            module ``celery``.
        with_tasks: Whether to import the modules of its tasks, too, which may take seconds.

    Raises:
        Invalid: It can't be imported, or there is no application, or several; the message says which and where.
    """
    from celery import Celery
    from celery.app.utils import find_app

    if not name.strip(" :."):
        raise Invalid("-A names no application: give MODULE or MODULE:ATTRIBUTE, as celery -A takes it")
    _look_in_working_directory()
    found: Any = _run(name, lambda: find_app(name))
    if not isinstance(found, Celery):
        raise Invalid(f"-A {name} is {_kind(found)}, not a Celery application{_others(name)}")
    app = cast("Celery", found)
    _refuse_choice(name, app)
    return load_tasks(app, name) if with_tasks else app


def application_of_arguments(
    program: str, purpose: str, arguments: Sequence[str] | None = None, *, with_tasks: bool = False
) -> Celery:
    """Import the application that a program's command line names; ends the program when there is none.

    Args:
        program: Name of the program.
        purpose: What it is for, as its help says.
        arguments: Of the command line; None for those of this process.
        with_tasks: Whether to import the modules of its tasks, too, which may take seconds.
    """
    parser = ArgumentParser(prog=program, description=purpose)
    parser.add_argument("-A", "--app", required=True, help="application, as of `celery -A`")
    name: str = parser.parse_args(arguments).app
    try:
        app = import_application(name, with_tasks=with_tasks)
    except Invalid as error:
        sys.exit(f"{program}: {error}")
    app.set_current()
    return app


def load_tasks(app: Celery, name: str) -> Celery:
    """Import the modules with an application's tasks, and return it.

    Raises:
        Invalid: One can't be imported, or a setting is wrong.
    """

    def load() -> Celery:
        app.loader.import_default_modules()
        app.finalize()
        return app

    return _run(name, load)


def _look_in_working_directory() -> None:
    with contextlib.suppress(FileNotFoundError):  # it was deleted
        if os.getcwd() not in sys.path:  # noqa: PTH109  (sys.path holds texts)
            sys.path.insert(0, os.getcwd())  # noqa: PTH109


def _run(name: str, action: Callable[[], Found]) -> Found:
    """Do what runs the application's code, and raise its errors as one line.

    Raises:
        Invalid: It failed.
    """
    try:
        with divert_output(), _keep_zone(), _impatience(name):
            return action()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (somebody's module may raise anything, and ends itself)
        raise Invalid(f"-A {name}: {_describe(name, error)}") from None


@contextlib.contextmanager
def divert_output() -> Generator[None]:
    """Send what is printed to standard error: an application that is imported may print, and so may what it starts.

    In a thread only what Python prints: beside it a dashboard may be drawn on the same terminal.
    """
    with contextlib.ExitStack() as stack:
        is_alone = threading.current_thread() is threading.main_thread()
        with contextlib.suppress(OSError, AttributeError, ValueError):  # one of them is closed
            if is_alone:
                _swap_output(stack)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


def _swap_output(stack: contextlib.ExitStack) -> None:
    """Let the file behind standard output be the one of standard error until the stack is left."""
    sys.stdout.flush()
    kept = os.dup(_OUTPUT)
    stack.callback(os.close, kept)
    os.dup2(_ERROR, _OUTPUT)
    stack.callback(os.dup2, kept, _OUTPUT)
    stack.callback(sys.stdout.flush)


def find_zone() -> str | None:
    """Return the process's own time zone as it was started with (``TZ``); None: the machine's."""
    return os.environ.get("TZ")


def restore_zone(zone: str | None) -> None:
    """Show times in the operator's zone again: Django sets an application's as that of the whole process."""
    if find_zone() == zone:
        return
    if zone is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = zone
    time.tzset()


@contextlib.contextmanager
def _keep_zone() -> Generator[None]:
    zone = find_zone()
    try:
        yield
    finally:
        restore_zone(zone)


def _describe(name: str, error: BaseException) -> str:
    module = name.partition(":")[0]
    if isinstance(error, ModuleNotFoundError) and error.name == name and ":" in name:
        return f"there is no {name.partition(':')[2]!r} in {module}{_others(name)}"
    if isinstance(error, ModuleNotFoundError) and error.name and _is_beginning(error.name, module):
        return f"there is no module {error.name!r} in {os.getcwd()} or where Python looks"  # noqa: PTH109
    place = _place_of(error)
    if isinstance(error, AttributeError) and not place:
        return f"there is no application{_others(name)}"
    said = " ".join(traceback.format_exception_only(error)[-1].split())
    return f"can't be imported: {mask_text(said)}{f' ({place})' if place else ''}"


def _is_beginning(missing: str, module: str) -> bool:
    return module == missing or module.startswith(f"{missing}.")


def _place_of(error: BaseException) -> str:
    """Name file and line of the application's own code where it went wrong; empty when none of it ran."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    last = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_machinery(frame.filename)][-1:]
    return f"{last[0].filename}, line {last[0].lineno}" if last else ""


def _is_machinery(file: str) -> bool:
    """Tell whether a file is of what imports: Python's, Celery's or ours."""
    return file.startswith("<frozen") or file == __file__ or _is_installed(file)


def _is_installed(file: str) -> bool:
    """Tell whether a file came with Python or a package, and is nobody's to mend."""
    return f"{os.sep}site-packages{os.sep}" in file or f"{os.sep}lib{os.sep}python" in file


def _kind(found: object) -> str:
    kind = type(found)
    return "a module" if kind is ModuleType else f"of type {kind.__module__}.{kind.__qualname__}"


def _applications(name: str) -> dict[str, Celery]:
    """List the applications of the module that a name means, by their own names there."""
    from celery import Celery

    module = sys.modules.get(name.partition(":")[0]) or sys.modules.get(name.partition(":")[0].rpartition(".")[0])
    return {key: value for key, value in vars(module).items() if isinstance(value, Celery)} if module else {}


def _others(name: str) -> str:
    found = _applications(name)
    module = name.partition(":")[0]
    if found:
        return f"; there is {' and '.join(f'-A {module}:{key}' for key in found)}"
    return "; name it: -A MODULE:ATTRIBUTE"


def _refuse_choice(name: str, found: Celery) -> None:
    """Refuse to take the first of several: which one that is, is chance.

    Raises:
        Invalid: The name means a module with several applications, none called ``app`` or ``celery``.
    """
    module = sys.modules.get(name)
    if module is None:
        return
    named = [vars(module).get(key) for key in ("app", "celery")]
    there = _applications(name)
    if not any(found is each for each in named) and len({id(each) for each in there.values()}) > 1:
        names = ", ".join(f"-A {name}:{key}" for key in there)
        raise Invalid(f"-A {name}: there are {len(there)} applications; name one: {names}")


@contextlib.contextmanager
def _impatience(name: str) -> Generator[None]:
    """Say where an import is that takes long: an application that connects while it is imported may wait for ever."""
    is_done = threading.Event()
    main = threading.get_ident()

    def watch() -> None:
        if not is_done.wait(PATIENCE_S):
            frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  (documented, in spite of its name)
            place = _place_in(frames.get(main))
            print(f"nexus-tui: -A {name} is still being imported{place}; Ctrl+C ends it", file=sys.stderr)  # noqa: T201

    thread = threading.Thread(target=watch, name="impatience", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()


def _place_in(frame: FrameType | None) -> str:
    if frame is None:
        return ""
    mine = [row for row in traceback.extract_stack(frame) if not _is_machinery(row.filename)]
    return f", at {mine[-1].filename}, line {mine[-1].lineno}" if mine else ""
