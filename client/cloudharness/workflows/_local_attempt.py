"""Run one attempt of a task as a process of this machine, or as a container."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cloudharness.workflows._local_container import Container
from cloudharness_operation.outputs import RESULT, STDOUT
from cloudharness_operation.pods import EnvVar
from cloudharness_operation.render.containers import RESULT_PATH, RUNNER, SHARED_DIRECTORY
from cloudharness_operation.tasks import PythonCode, Task

INHERITED: Final = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER")
"""Environment variables that tasks inherit from this process."""
_GRACE: Final = 2.0
"""Seconds between SIGTERM and SIGKILL."""
_MAX_STDOUT: Final = 256 * 1024
"""Size in bytes of the output `stdout`, which keeps the end of the text: Argo's limit."""
_SIGNAL_EXIT_CODE: Final = 128
"""Exit code of a process that a signal has terminated, minus the signal's number."""


@dataclass
class TaskAttempt:
    """One attempt of a task.

    Args:
        task: the task.
        directory: an empty directory: the working directory.
        injected: environment variables besides the task's own.
        outputs_before: outputs of earlier tasks, by task and name.
        volumes: a directory of this machine for each mount path.
        on_line: called with each line that the task prints, from another thread.

    """

    task: Task
    directory: Path
    injected: Mapping[str, str]
    outputs_before: Mapping[tuple[str, str], str]
    volumes: Mapping[str, Path]
    on_line: Callable[[str], None]
    _container: Container | None = None
    _process: subprocess.Popen[str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _terminated: bool = False
    _printed: list[str] = field(default_factory=list)

    def run(self) -> int:
        """Run the task until it ends, and return its exit code.

        Raises:
            BadOperationConfiguration: the task needs a container engine, and none answers.

        """
        if self.task.custom is None:
            return self._run(self._command(), keep=bool(self.task.stdout))
        paths = {path: path for path in self.volumes}
        variables = self._variables(paths)
        # Several operations of one name may run on this machine.
        name = f"{self.task.name}-{secrets.token_hex(6)}"
        container = Container(name, self.task.name, self.task.custom, variables, self.volumes)
        if (pull := container.pull_command()) and (code := self._run(pull, keep=False)) != 0:
            return code
        self._container = container
        return self._run(container.command(), keep=bool(self.task.stdout))

    def close(self) -> None:
        """Remove the container, if the task has one."""
        if self._container:
            self._container.remove()

    def _run(self, command: list[str], *, keep: bool) -> int:
        """Run a command until it ends; return its exit code, and keep its lines if asked to."""
        with self._lock:
            if self._terminated:
                return _SIGNAL_EXIT_CODE + signal.SIGTERM
            process = self._process = _start(command, self._environment(), self.directory)
        threading.Thread(target=_kill_children, args=(process,), daemon=True).start()
        assert process.stdout is not None  # noqa: S101 - for the type checker.
        with process.stdout:
            for line in process.stdout:
                if keep:
                    self._printed.append(line)
                self.on_line(line.rstrip("\n"))
        code = process.wait()
        return code if code >= 0 else _SIGNAL_EXIT_CODE - code

    def terminate(self) -> None:
        """Terminate the process and all its children. Another thread calls this."""
        with self._lock:
            self._terminated = True
            process = self._process
        if process is None or process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
                return

    def return_value(self) -> object:
        """Return the return value of the Python function, or None if there is none."""
        file = self._result_file()
        return json.loads(file.read_text()) if file.exists() else None

    def outputs(self) -> dict[str, str]:
        """Return the texts of the outputs, by name.

        Raises:
            OSError: the task has not written an output.

        """
        texts = {one.name: _without_newline(self._read(one.path)) for one in self.task.outputs}
        if self.task.stdout:
            text = "".join(self._printed).encode()[-_MAX_STDOUT:].decode(errors="ignore")
            texts[STDOUT] = _without_newline(text)
        if self.task.python and self.task.python.function:
            texts[RESULT] = self._result_file().read_text()
        return texts

    def _read(self, path: str) -> str:
        if self._container:
            return self._container.read(path, self.directory)
        return Path(path).read_text(errors="replace")

    def _command(self) -> list[str]:
        task = self.task
        if task.python:
            return self._python(task.python)
        if task.bash:
            return ["bash", str(self._file("script.sh", task.bash.source))]
        assert task.command is not None  # noqa: S101 - for the type checker: a task has one kind.
        return list(task.command.command)

    def _python(self, code: PythonCode) -> list[str]:
        path = str(self._file("source.py", code.source or ""))
        if code.function is None:
            return [sys.executable, path]
        runner = RUNNER.replace(RESULT_PATH, str(self._result_file()))
        return [sys.executable, "-c", runner, path, code.function, json.dumps(code.args or {})]

    def _environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        if self.task.custom:
            return dict(os.environ)  # Of the container engine, not of the container.
        return inherited | self._variables({p: str(d) for p, d in self.volumes.items()})

    def _variables(self, paths: Mapping[str, str]) -> dict[str, str]:
        values = dict(self.injected)
        if paths:
            values[SHARED_DIRECTORY] = next(iter(paths.values()))
        for variable in self.task.env:
            value = self._value(variable, values)
            if value is not None:
                values[variable.name] = value
        mount_path = values.get(SHARED_DIRECTORY, "")
        if mount_path in paths:
            values[SHARED_DIRECTORY] = paths[mount_path]
        return values

    def _value(self, variable: EnvVar, known: Mapping[str, str]) -> str | None:
        source = variable.value_from
        if source is None:
            return expanded(variable.value or "", known)
        # Other sources are optional (see `_local_limits`), and do not exist without a cluster.
        output = source.task_output
        return self.outputs_before[output.task, output.name] if output else None

    def _result_file(self) -> Path:
        return self.directory / "result.json"

    def _file(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path


def _without_newline(text: str) -> str:
    """Return a text without a newline at its end, as Argo does."""
    return text.removesuffix("\n")


def _kill_children(process: subprocess.Popen[str]) -> None:
    """Kill the processes that a process leaves behind, as the end of a container does."""
    process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def expanded(text: str, known: Mapping[str, str]) -> str:
    """Expand `$(NAME)` and `$$` in the value of a variable, as Kubernetes does."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else known.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", value, text)


def _start(
    command: list[str], environment: dict[str, str], directory: Path
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # A process group, which can be terminated as a whole.
        )
    except (FileNotFoundError, PermissionError) as error:
        # The exit code of a container engine for a program that does not exist.
        return _start(["sh", "-c", 'echo "$0" >&2; exit 127', str(error)], environment, directory)
