"""One task as a process of this machine, or as a container where it has an image of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cloudharness.workflows.errors import BadOperationConfiguration
from cloudharness_operation.outputs import RESULT, STDOUT
from cloudharness_operation.pods import EnvVar
from cloudharness_operation.render.containers import RESULT_PATH, RUNNER, SHARED_DIRECTORY
from cloudharness_operation.tasks import PythonCode, Task

ENGINES: Final = ("docker", "podman")
"""What runs containers, by preference."""
PASSED_ON: Final = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER")
"""Variables of this process that tasks have too; a container would have its own of these."""
_GRACE: Final = 2.0
"""Seconds between asking a process to end and killing it."""
_MOST_PRINTED: Final = 256 * 1024
"""Bytes of what it prints that are kept as an output, the last ones: Argo's limit."""
_RUNNERS_OWN: Final = 128
"""Exit codes of processes that a signal ended begin here, as shells and containers tell them."""


@dataclass
class Attempt:
    """One attempt of a task.

    Args:
        task: the task.
        place: an empty directory, for its files.
        told: variables that it has besides its own.
        passed: outputs of tasks before it, by their task and name.
        volumes: a directory of this machine for each path at which it has a volume.
        say: is called with each line that it prints, from another thread.

    """

    task: Task
    place: Path
    told: Mapping[str, str]
    passed: Mapping[tuple[str, str], str]
    volumes: Mapping[str, Path]
    say: Callable[[str], None]
    _process: subprocess.Popen[str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False
    _printed: list[str] = field(default_factory=list)

    def run(self) -> int:
        """Run it to its end; return its exit code.

        Raises:
            BadOperationConfiguration: there is nothing here to run it with.

        """
        with self._lock:
            if self._ended:
                return _RUNNERS_OWN + signal.SIGTERM
            command = self._command()
            process = self._process = _start(command, self._environment(), self.place)
        threading.Thread(target=_clear, args=(process,), daemon=True).start()
        assert process.stdout is not None  # noqa: S101 - for the type checker: it is piped.
        with process.stdout:
            for line in process.stdout:
                if self.task.stdout:
                    self._printed.append(line)
                self.say(line.rstrip("\n"))
        code = process.wait()
        return code if code >= 0 else _RUNNERS_OWN - code

    def end(self) -> None:
        """End it and all that it has started, from another thread."""
        with self._lock:
            self._ended = True
            process = self._process
        if process is None or process.poll() is not None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
                return

    def result(self) -> object:
        """Return what its function returned; None if it has none."""
        file = self._result_file()
        return json.loads(file.read_text()) if file.exists() else None

    def outputs(self) -> dict[str, str]:
        """Return what it has left for later tasks, as text by name.

        Raises:
            OSError: a file is not there that it was to write.

        """
        found = {
            one.name: _without_end(Path(one.path).read_text(errors="replace"))
            for one in self.task.outputs
        }
        if self.task.stdout:
            text = "".join(self._printed).encode()[-_MOST_PRINTED:].decode(errors="ignore")
            found[STDOUT] = _without_end(text)
        if self.task.python and self.task.python.function:
            found[RESULT] = self._result_file().read_text()
        return found

    def _command(self) -> list[str]:
        task = self.task
        if task.python:
            return self._python(task.python)
        if task.bash:
            return ["bash", str(self._file("script.sh", task.bash.source))]
        if task.command:
            return list(task.command.command)
        return self._container()

    def _python(self, code: PythonCode) -> list[str]:
        path = str(self._file("source.py", code.source or ""))
        if code.function is None:
            return [sys.executable, path]
        runner = RUNNER.replace(RESULT_PATH, str(self._result_file()))
        return [sys.executable, "-c", runner, path, code.function, json.dumps(code.args or {})]

    def _container(self) -> list[str]:
        custom = self.task.custom
        assert custom is not None  # noqa: S101 - for the type checker: a task has one kind.
        engine = next((name for name in ENGINES if shutil.which(name)), None)
        if engine is None:
            raise BadOperationConfiguration(
                f"task {self.task.name!r} runs in the image {custom.image}, which takes "
                f"{' or '.join(ENGINES)}: install one, or run the operation on a cluster"
            )
        command = [engine, "run", "--rm", "--init"]
        if custom.image_pull_policy:
            known = {"Always": "always", "IfNotPresent": "missing", "Never": "never"}
            command.append(f"--pull={known[custom.image_pull_policy]}")
        for name, value in self._variables({p: p for p in self.volumes}).items():
            command += ["--env", f"{name}={value}"]
        for path, directory in self.volumes.items():
            command += ["--volume", f"{directory}:{path}"]
        words = list(custom.command)
        if words:
            command += ["--entrypoint", words.pop(0)]
        return [*command, custom.image, *words, *custom.args]

    def _environment(self) -> dict[str, str]:
        own = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        if self.task.custom:
            return dict(os.environ)  # Of the engine's own program; the container has another.
        return own | self._variables({p: str(d) for p, d in self.volumes.items()})

    def _variables(self, paths: Mapping[str, str]) -> dict[str, str]:
        found = dict(self.told)
        if paths:
            found[SHARED_DIRECTORY] = next(iter(paths.values()))
        for variable in self.task.env:
            value = self._value(variable, found)
            if value is not None:
                found[variable.name] = value
        given = found.get(SHARED_DIRECTORY, "")
        if given in paths:
            found[SHARED_DIRECTORY] = paths[given]
        return found

    def _value(self, variable: EnvVar, known: Mapping[str, str]) -> str | None:
        source = variable.value_from
        if source is None:
            return expanded(variable.value or "", known)
        # All others are optional here: of a cluster's there is none.
        asked = source.task_output
        return self.passed[asked.task, asked.name] if asked else None

    def _result_file(self) -> Path:
        return self.place / "result.json"

    def _file(self, name: str, text: str) -> Path:
        path = self.place / name
        path.write_text(text)
        return path


def _without_end(text: str) -> str:
    """Return a text as Argo keeps it: without a newline at its end."""
    return text.removesuffix("\n")


def _clear(process: subprocess.Popen[str]) -> None:
    """End what a process has left running, as a container ends with its first process."""
    process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def expanded(text: str, known: Mapping[str, str]) -> str:
    """Return the value of a variable as Kubernetes makes it: `$(NAME)` replaced, `$$` one `$`."""

    def put(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else known.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", put, text)


def _start(command: list[str], environment: dict[str, str], place: Path) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # So that it can be ended with all that it starts.
        )
    except (FileNotFoundError, PermissionError) as error:
        # What a container's engine says of a program that is not there.
        return _start(["sh", "-c", 'echo "$0" >&2; exit 127', str(error)], environment, place)
