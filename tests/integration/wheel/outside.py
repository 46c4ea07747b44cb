"""A folder outside the checkout, whose programs know the wheel's environment and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.harness.waiting import wait_until
from tests.harness.wheels import Environment

WORKER = ("-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle")


class Outside:
    """What somebody has who installed the wheel: an application in a folder, and programs that run in it.

    Args:
        environment: With the wheel.
        folder: Of the application; is made.
        files: Its files by their names.
        variables: Of the environment of its programs.
    """

    def __init__(
        self, environment: Environment, folder: Path, files: Mapping[str, str], variables: Mapping[str, str]
    ) -> None:
        self.environment = environment
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.variables = {
            "PATH": f"{environment.folder / 'bin'}:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder / "home"),
            **variables,
        }
        (folder / "home").mkdir(parents=True)
        self.write(files)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the application."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the folder."""
        return self.environment.run(*command, folder=self.folder, timeout_s=60, **{**self.variables, **more})

    def done(self, *command: str, **more: str) -> str:
        """Run a program to its good end, and return what it prints."""
        said = self.run(*command, **more)
        assert said.returncode == 0, f"{command}: {said.stdout[-1000:]}{said.stderr[-3000:]}"
        return said.stdout

    def start(self, *command: str, log: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own."""
        with (self.folder / log).open("ab") as file:
            process = subprocess.Popen(
                [str(self.environment.folder / "bin" / command[0]), *command[1:]],
                cwd=self.folder,
                env={**self.variables, "TERM": "dumb", **more},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def worker(self, name: str, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a worker by what comes before Celery's own options, and wait until it is ready."""
        log = f"{name}.log"
        before = self.log(log).count(" ready.")
        process = self.start(*command, "worker", "-n", f"{name}@outside", *WORKER, log=log, **more)
        wait_until(lambda: self.log(log).count(" ready.") > before or process.poll() is not None, timeout_s=60)
        assert process.poll() is None, self.log(log)[-3000:]
        return process

    def log(self, name: str) -> str:
        """Read a program's log; empty when there is none yet."""
        file = self.folder / name
        return file.read_text(errors="replace") if file.exists() else ""

    def stop(self) -> None:
        """End what still runs."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)
