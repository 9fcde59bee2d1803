"""`check-migration`: what it reports for source code, without executing it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudharness.workflows._migration.matching import Level
from cloudharness.workflows._migration.report import Report, check
from cloudharness.workflows._migration.rules import RULES
from cloudharness.workflows.cli import main as cli
from tests.support.documents import dialogue

PAGE = Path(__file__).parents[3] / "docs" / "migration.md"
Line = tuple[str, int, str]

OPS = "from cloudharness.workflows import operations, tasks\n"
ARGO = "from cloudharness.workflows import argo\n"
SUBCLASS = "from cloudharness.workflows.operations import PipelineOperation as P\n"
TASK = "from cloudharness.workflows.tasks import CustomTask\n"
NO_TOPIC = "no topic with the name of the operation"
CLAIM = "the variable shared_directory in tasks is the path alone"
PATCH = "the result of {}() is compared with that of the base class"


def lines(report: Report, *, works: bool = False) -> list[Line]:
    return [
        (one.level.value, one.line, one.message)
        for one in report.findings
        if works or one.level is not Level.WORKS
    ]


def expect(found: list[Line], expected: list[Line]) -> None:
    """Compare findings with levels, lines and the beginnings of messages."""
    assert [(level, line) for level, line, _ in found] == [(one[0], one[1]) for one in expected]
    for (_, _, message), (_, _, beginning) in zip(found, expected, strict=True):
        assert message.startswith(beginning)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        # Imports, and the ways to write them.
        (OPS, []),
        ("from cloudharness.workflows import argo, argo_service, utils", []),
        ("import cloudharness.workflows as w\nw.argo.get_workflows", []),
        ("import cloudharness.workflows.argo\ncloudharness.workflows.argo.Phase.Failed", []),
        ("import cloudharness.log, cloudharness.auth", []),
        ("import cloudharness.workflows.argo as a\na.__name__", []),
        (
            "from cloudharness.workflows.tasks import Nothing",
            [("edit", 1, "cloudharness.workflows.tasks.Nothing does not exist in this client")],
        ),
        (
            "from cloudharness.workflows import nothing",
            [("edit", 1, "cloudharness.workflows.nothing does not exist in this client")],
        ),
        (
            "from cloudharness.workflows._api import Connection",
            [("edit", 1, "cloudharness.workflows._api.Connection does not exist")],
        ),
        (
            OPS + "operations.Nothing(1)",
            [("edit", 2, "cloudharness.workflows.operations.Nothing does not exist")],
        ),
        (
            "import cloudharness.workflows as w\nw.argo.get_api_client()",
            [("edit", 2, "get_api_client is a client of Argo's server")],
        ),
        (
            "from cloudharness.workflows.argo_service import WorkflowServiceApi, get_configuration",
            [
                ("edit", 1, "WorkflowServiceApi is a client"),
                ("edit", 1, "get_configuration is a client"),
            ],
        ),
        (ARGO + "print(argo.namespace)", [("edit", 2, "cloudharness.workflows.argo has no name")]),
        (
            "from cloudharness.workflows.argo import *\nget_workflow('x')",
            [("changed", 2, "returns a workflow that has failed")],
        ),
        (
            "try:\n    from cloudharness.workflows import argo\nexcept ImportError:\n"
            "    argo = None\nargo.get_workflow('x')",
            [("changed", 5, "returns a workflow that has failed")],
        ),
        (
            "def f():\n    import cloudharness.workflows.argo as a\n    return a.get_workflow('x')",
            [("changed", 3, "returns a workflow that has failed")],
        ),
        ("from celery import tasks\ntasks.Task('t', retry=3)", []),
        ("class Task:\n    def spec(self): pass\nTask(retry=3)", []),
        (OPS + "def f(tasks):\n    tasks.CustomTask('t', 'i', retry=3)", []),
        (OPS + "tasks = []\ntasks.PythonTask(retry=1)", []),
        # The packages that the original library used.
        ("from argo.workflows.client import V1alpha1Template, V1Toleration", []),
        ("import argo.workflows.client", []),
        (
            "from argo.workflows.client import ApiClient",
            [("edit", 1, "ApiClient of the package argo-workflows")],
        ),
        (
            "import argo.workflows.client as c\nc.WorkflowServiceApi()",
            [("edit", 2, "WorkflowServiceApi of the package argo-workflows")],
        ),
        (
            "GROUP = 'argoproj.io'\n"
            "api.list_namespaced_custom_object(GROUP, 'v1alpha1', 'x', 'workflows')\n"
            "api.delete_namespaced_custom_object(group=GROUP, plural='workflows', name='x')\n"
            "api.create_namespaced_custom_object(group=GROUP, plural='workflows')\n"
            "api.list_namespaced_custom_object(GROUP, 'v1alpha1', 'x', 'cronworkflows')",
            [
                ("changed", 2, "finds Workflows under the names"),
                ("edit", 3, "the operator owns the Workflow"),
            ],
        ),
        # Operations.
        (OPS + "operations.ParallelOperation('name', ())", []),
        (OPS + "operations.ParallelOperation('n-', (), ttl_strategy=None, pod_gc={})", []),
        (OPS + "operations.PodExecutionContext('usesvolume', name, True)", []),
        (
            OPS + "c = operations.PodExecutionContext('usesvolume', name, True)\n"
            "operations.PipelineOperation('n', [], pod_context=c)",
            [],
        ),
        (
            OPS + "operations.PipelineOperation('n', [], '', 10, context)",
            [("changed", 2, "pod_context takes effect")],
        ),
        (
            OPS + "operations.PipelineOperation('n', [], on_exit_notify={\n"
            "  'queue': 'q', 'payload': '', 'image': 'i', 'command': [], 'traceparent': '',\n"
            "  'sender_email': 'a@b'})",
            [],
        ),
        (
            OPS + "exit = {'queue': 'q', 'sender_email': 'a@b', 'to': 1}\n"
            "operations.PipelineOperation('n', [], on_exit_notify=exit)",
            [
                (
                    "edit",
                    3,
                    "on_exit_notify does not support sender_email, to without image, with which "
                    "it would be a variable of the exit task: use queue, payload, traceparent",
                )
            ],
        ),
        (OPS + "operations.PipelineOperation('n', [], shared_directory='/data')", []),
        (OPS + "operations.PipelineOperation('n', [], shared_directory=True)", []),
        (OPS + "operations.PipelineOperation('n', [], shared_directory=['a:/b'])", []),
        (
            OPS + "operations.PipelineOperation('n', [], on_exit_notify=dict(queue='q', to=1))",
            [("edit", 2, "on_exit_notify does not support to without image")],
        ),
        (
            OPS + "operations.PipelineOperation('n', [], shared_directory=f'{c}:/data')",
            [("changed", 2, CLAIM)],
        ),
        (
            OPS + "operations.PipelineOperation('n', [], 'claim' + ':/data')",
            [("changed", 2, CLAIM)],
        ),
        (OPS + "tasks.CustomTask('t', 'i', shared_directory=f'{c}:/data')", []),
        (
            OPS + "op = operations.DistributedSyncOperation('n', t)\nop.execute()",
            [("changed", 3, "execute() raises OperationFailed")],
        ),
        (
            OPS + "t = tasks.CustomTask('t', 'i')\n"
            "r = operations.DistributedSyncOperationWithResults('n', t).execute()[0]['result']",
            [],
        ),
        (
            OPS + "t = tasks.PythonTask('t', print)\n"
            "operations.DistributedSyncOperationWithResults('n', task=t).execute(10)",
            [("changed", 3, "execute() returns what the function returned; it returned a list")],
        ),
        (
            OPS + "operations.DirectOperation('n', f).execute(1)",
            [("changed", 2, "execute() returns what the function returned; it returned None")],
        ),
        (
            OPS + "from cloudharness.events.client import EventClient\n"
            "op = operations.ParallelOperation('n', ())\nwf = op.execute()\n"
            "EventClient(wf.name).consume_all()\nEventClient('topic').consume_all()\n"
            "EventClient(op.persisted.name)",
            [("edit", 5, NO_TOPIC), ("edit", 7, NO_TOPIC)],
        ),
        # Tasks.
        (
            OPS + "tasks.CustomTask('t', 'i', retry=3,\n outputs='/o',\n stdout=x)",
            [
                ("edit", 2, "retry= is an option of this client"),
                ("edit", 3, "outputs= is an option of this client"),
                (
                    "edit",
                    4,
                    "stdout= is an option of this client and sets no variable: call task.a",
                ),
            ],
        ),
        (OPS + "tasks.BashTask('t', 'x', retry=tasks.Retry(3), outputs={'a': '/a'})", []),
        (
            OPS + "tasks.BashTask('t', 'x', resources={})\ntasks.PythonTask('t', f, retry_limit=1)",
            [
                ("changed", 2, "resources= takes effect"),
                ("changed", 3, "retry_limit= takes effect"),
            ],
        ),
        (OPS + "tasks.CustomTask('t', 'i', {}, retry_limit=2)", []),
        (
            OPS + "from argo.workflows.client import V1alpha1Template\n"
            "tasks.CustomTask('t', 'i', template_overrides=V1alpha1Template(node_selector={}))",
            [],
        ),
        (OPS + "tasks.PythonTask('t', lambda: 1)", []),
        (
            OPS + "import functools\n\ndef outer(x):\n    import json\n    def inner():\n"
            "        return json.dumps(x)\n    def alone():\n        return json.dumps(1)\n"
            "    tasks.PythonTask('a', inner)\n    tasks.PythonTask('b', alone)\n"
            "    tasks.PythonTask('c', functools.partial(inner))",
            [
                ("edit", 10, "raises CannotBeShipped: the function uses variables of the enc"),
                ("edit", 12, "raises CannotBeShipped: the function uses variables of the enc"),
            ],
        ),
        (
            OPS + "class Service:\n    def work(self): pass\n    @staticmethod\n"
            "    def free(): pass\n    def run(self):\n"
            "        tasks.PythonTask('t', self.work)\n        tasks.PythonTask('t', self.free)",
            [("edit", 7, "raises CannotBeShipped: work is a method")],
        ),
        # Arguments that pass through the application's own functions.
        (
            OPS + "def make(image, **more):\n    return tasks.CustomTask('t', image, **more)\n"
            "def special(**more):\n    return make('i', **more)\n"
            "special(retry=3)\nmake(image='i', url='u')",
            [("edit", 6, "retry= is an option of this client")],
        ),
        (
            TASK + "class Mine(CustomTask):\n    def __init__(self, name, **more):\n"
            "        super().__init__(name, 'i', **more)\nMine('t', stdout='x')",
            [("edit", 5, "stdout= is an option of this client")],
        ),
        # Overridden methods.
        (
            SUBCLASS + "class Mine(P):\n    def spec(self):\n        return super().spec()\n"
            "    def modify_template(self, template): return template\n"
            "    def steps_spec(self): return []\n    entrypoint = 'x'\n"
            "    def add_on_exit_notify_handler(self, spec): pass\n"
            "    def spec_volumeclaim(self, v): pass\n    def to_workflow(self): pass\n"
            "    def own(self): pass",
            [
                ("changed", 3, PATCH.format("spec")),
                ("changed", 5, PATCH.format("modify_template")),
                ("edit", 6, "steps_spec is not called by this client"),
                ("edit", 7, "entrypoint is not called by this client"),
                ("edit", 8, "add_on_exit_notify_handler is not called by this client: use on_ex"),
                ("edit", 9, "spec_volumeclaim is not called by this client"),
                ("edit", 10, "to_workflow() sends or returns no Workflow of yours"),
            ],
        ),
        (
            TASK + "class Mine(CustomTask):\n    image_name = 'x'\n    def instance(self): pass\n"
            "    def cloudharness_configmap_spec(self): pass\n    def metadata_spec(self): pass\n"
            "    def affinity_spec(self): pass\n    def volumes_mounts_spec(self): pass\n"
            "    def command(self): pass",
            [
                ("changed", 3, PATCH.format("image_name")),
                ("edit", 4, "instance is not called by this client"),
                ("changed", 5, PATCH.format("cloudharness_configmap_spec")),
                (
                    "edit",
                    6,
                    "metadata_spec is not called by this client: use template_overrides, with",
                ),
                ("edit", 7, "affinity_spec is not called"),
                ("edit", 8, "volumes_mounts_spec is not called"),
                ("edit", 9, "command is not called"),
            ],
        ),
        (
            SUBCLASS + "class A(P): pass\nclass B(A):\n    def templates(self): pass\n"
            "B('n', [], pod_context=c)",
            [
                ("edit", 4, "templates is not called by this client"),
                ("changed", 5, "pod_context takes effect"),
            ],
        ),
        (
            OPS + "op = operations.ParallelOperation('n', ())\nop.spec_volume('x')",
            [("edit", 3, "spec_volume does not exist in this client")],
        ),
        # Listing and reading.
        (
            ARGO + "for one in argo.get_workflows('Failed', limit=1, fields='x').items:\n"
            "    one.raw.status.nodes.values()\n    one.pod_names",
            [("changed", 2, "lists operations first"), ("edit", 3, "raw.status has no nodes")],
        ),
        (
            ARGO + "def f(workflow: argo.Workflow):\n    workflow.raw.to_dict()\n"
            "    workflow.raw.to_str()\n    workflow.raw.spec.templates[0].name\n"
            "    workflow.raw.spec.templates[1]\n    spec = workflow.raw.spec\n"
            "    spec.entrypoint\n    workflow.raw.metadata.name",
            [
                ("changed", 6, "raw is a CloudHarnessOperation"),
                ("changed", 8, "raw is a CloudHarnessOperation"),
            ],
        ),
        (
            "from typing import Optional\n" + ARGO + "def f(a: Optional[argo.Workflow],\n"
            "      b: argo.Workflow | None, c: list[argo.Workflow]):\n"
            "    a.raw.status.nodes\n    b.raw.status.nodes\n    c.raw.status.nodes",
            [("edit", 5, "raw.status has no nodes"), ("edit", 6, "raw.status has no nodes")],
        ),
        # Code of tasks.
        (
            "from cloudharness.workflows.utils import get_shared_directory, notify_queue\n"
            "notify_queue('q', get_shared_directory())",
            [],
        ),
        ("import os\nos.environ['CH_KEY']", []),
    ],
)
def test_what_is_reported(tmp_path: Path, code: str, expected: list[Line]) -> None:
    (tmp_path / "code.py").write_text(code)
    report = check([str(tmp_path)])
    expect(lines(report), expected)
    assert not report.problems


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            OPS + "operations.ParallelOperation('name', ())",
            [
                ("works", 1, "import of cloudharness.workflows.operations"),
                ("works", 1, "import of cloudharness.workflows.tasks"),
                ("works", 2, "a unique suffix is appended to the name"),
            ],
        ),
        (
            OPS + "tasks.CustomTask('t', 'i', **more)",
            [
                ("works", 1, "import"),
                ("works", 1, "import"),
                ("works", 2, "the arguments in * or ** are not checked"),
            ],
        ),
        (
            ARGO + "argo.delete_workflow('x')\nargo.submit_workflow(y).raw.to_dict()",
            [
                ("works", 1, "import of cloudharness.workflows.argo"),
                ("works", 2, "delete_workflow(...)"),
                ("works", 3, "raw.to_dict"),
                ("works", 3, "submit_workflow(...)"),
            ],
        ),
    ],
)
def test_what_works_is_listed_too(tmp_path: Path, code: str, expected: list[Line]) -> None:
    (tmp_path / "code.py").write_text(code)
    expect(lines(check([str(tmp_path)]), works=True), expected)


def test_a_variable_of_a_task_is_reported_once(tmp_path: Path) -> None:
    folder = tmp_path / "tasks" / "work"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(
        "import os\nos.getenv('CH_CURRENT_APP_NAME')\nos.environ['CH_KEY']\nos.getenv('CH_OTHER')\n"
        "os.environ['CH_MINE'] = ''"
    )
    expect(lines(check([str(tmp_path)])), [("changed", 3, "CH_KEY may be missing in tasks")])


def test_names_are_followed_across_files(tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "",
        "app/compat.py": "from cloudharness.workflows import operations\nfrom .loop import again",
        "app/loop.py": "from .compat import again",
        "app/base.py": "from .compat import operations, again\nagain()\n"
        "class Base(operations.PipelineOperation):\n    pass\n"
        "def make(name, **more):\n    return Base(name, [], **more)",
        "app/sub/__init__.py": "from ..base import make",
        "app/sub/use.py": "from app.base import Base\nfrom . import make\n"
        "class Mine(Base):\n    def templates(self): pass\n"
        "make('n', pod_context=1).execute()",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    report = check([str(tmp_path)])
    expect(lines(report), [("edit", 4, "templates is not"), ("changed", 5, "pod_context takes")])


APPLICATION = dedent('''\
    """A service that copies the folders of its users, in the background."""
    import json
    import uuid

    from service.configuration import current

    try:
        from cloudharness.workflows import argo, operations, tasks
    except Exception:
        print("workflows are not available")

    TIMES = {"secondsAfterCompletion": 3600, "secondsAfterSuccess": 60}


    def volume(app):
        return f"{app.volume.name}:/store:rwx"


    def task(image, folder, **kwargs):
        return tasks.CustomTask(
            name=f"{image}-{str(uuid.uuid4())[:8]}",
            image_name=image,
            shared_directory=volume(current()),
            folder=folder,
            **kwargs,
        )


    class Service:
        def __init__(self, user):
            self.user = user
            self.operation = None

        def copy(self, folders):
            small = {"requests": {"cpu": 1}}
            found = [task("copy-folder", one, resources=small) for one in folders]
            self.operation = operations.SimpleDagOperation(
                "copy-folders-job",
                found,
                (task("scan-folder", "/", retry="no"),),
                shared_directory=volume(current()),
                ttl_strategy=TIMES,
                pod_context=operations.PodExecutionContext("owner", self.user, required=True),
                on_exit_notify={
                    "queue": "copied",
                    "image": "mailer",
                    "payload": json.dumps({"user": self.user}),
                    "sender_email": "noreply@example.org",
                },
            )
            submitted = self.operation.execute()
            if self.operation.is_error():
                return "Error", 500
            return {"task": submitted.name, "href": self.operation.get_operation_update_url()}, 202

        def count(self, folder):
            one = tasks.CustomTask("count", "count-files", folder=folder)
            operation = operations.DistributedSyncOperationWithResults("count-files-", one)
            return operation.execute()[0]["result"]

        def check(self, folder):
            one = tasks.BashTask("check", source=f"test -d {folder}", retry_limit=1)
            done = operations.DistributedSyncOperation("check-folder-", one).execute()
            return done.raw.to_dict() if done.status == "Succeeded" else None


    def running(user):
        found = argo.get_workflows(status="Running", limit=99).items
        return [one for one in found if user in one.name]


    def stop(user):
        for one in running(user):
            argo.delete_workflow(one.name)


    def nodes(name):
        return argo.get_workflow(name).raw.status.nodes
    ''')


def test_an_application_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(APPLICATION)
    report = check([str(tmp_path)])
    expect(
        lines(report),
        [
            ("edit", 40, "retry= is an option of this client"),
            ("changed", 41, CLAIM),
            ("changed", 43, "pod_context takes effect"),
            ("changed", 62, "retry_limit= takes effect"),
            ("changed", 63, "execute() raises OperationFailed"),
            ("changed", 68, "lists operations first"),
            ("changed", 78, "returns a workflow that has failed"),
            ("edit", 78, "raw.status has no nodes"),
        ],
    )
    assert report.summary == "14 uses work unedited, 5 change, 2 must be edited"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(["check-migration", *words])
    said = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, said.out, said.err


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("", 0, "no use of cloudharness.workflows found\n"),
        (
            ARGO + "é = argo; é.get_workflow('x')",
            0,
            "code.py:2:11: changed: returns a workflow that has failed; it raised "
            "WorkflowException\n1 use works unedited, 1 changes, 0 must be edited\n",
        ),
        (
            TASK + "CustomTask('t', 'i', stdout=1)",
            1,
            "code.py:2:22: edit: stdout= is an option of this client and sets no variable: call "
            'task.add_env("stdout", value)\n1 use works unedited, 0 change, 1 must be edited\n',
        ),
    ],
)
def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, exit_code: int, said: str
) -> None:
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    with contextlib.chdir(tmp_path):
        assert run(capsys, "code.py") == (exit_code, said, "")


def test_the_command_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "code.py"
    file.write_text(ARGO + "argo.get_workflow('x')")
    code, out, _ = run(capsys, str(file), str(tmp_path / "none"), "-o", "json")
    assert code == 2
    assert json.loads(out) == {
        "findings": [
            {
                "path": str(file),
                "line": 2,
                "column": 1,
                "level": "changed",
                "rule": "get-failed",
                "message": "returns a workflow that has failed; it raised WorkflowException",
            }
        ],
        "errors": [
            {
                "path": str(tmp_path / "none"),
                "line": 1,
                "column": 1,
                "message": "the path does not exist",
            }
        ],
        "uses": {"works": 1, "changed": 1, "edit": 0},
    }


def test_the_page_shows_what_the_command_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [(_, code), (command, said)] = dialogue(PAGE)
    (tmp_path / "service.py").write_text(code)
    with contextlib.chdir(tmp_path):
        assert run(capsys, *command.split()[2:]) == (1, said, "")


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"print 'two'\n", 1, "the file cannot be parsed: Missing parentheses"),
        (b"x = 1\n\ndef f(:\n", 3, "the file cannot be parsed: "),
        (b"x = 1\ny = '\xff'\n", 2, "the file cannot be parsed: 'utf-8' codec"),
        (b"# coding: nothing\n", 1, "the file cannot be parsed: unknown encoding: nothing"),
        (b"x = '\0'\n", 1, "the file cannot be "),
        (b"x = " + b"(" * 5000 + b")" * 5000, 1, "the file cannot be "),
        (b"x = " + b"-" * 20000 + b"1", 1, "the file cannot be "),
        (b"x = " + b"1 + " * 20000 + b"1", 1, "the file cannot be read: "),
    ],
)
def test_a_file_that_cannot_be_parsed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    line: int,
    message: str,
) -> None:
    (tmp_path / "bad.py").write_bytes(content)
    (tmp_path / "good.py").write_text(ARGO + "argo.get_workflow('x')")
    code, out, err = run(capsys, str(tmp_path))
    assert code == 2
    assert "good.py:2:1: changed" in out
    assert err.startswith(f"{tmp_path / 'bad.py'}:{line}:")
    assert f"error: {message}" in err


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbffrom cloudharness.workflows import argo\r\nargo.get_workflow('x')\r\n",
        "# coding: latin-1\nfrom cloudharness.workflows import argo; argo.get_workflow('é')".encode(
            "latin-1"
        ),
        b"from cloudharness.workflows import argo\n\x0cargo.get_workflow('\\d')",
    ],
)
def test_encodings_and_line_ends(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "code.py").write_bytes(content)
    expect(lines(check([str(tmp_path)])), [("changed", 2, "returns a workflow")])


def test_which_files_are_read(tmp_path: Path) -> None:
    bad = ARGO + "argo.get_workflow('x')"
    for name in (".git", ".venv", "node_modules", "__pycache__", "environment", "app/deep"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "code.py").write_text(bad)
    (tmp_path / "environment" / "pyvenv.cfg").touch()
    (tmp_path / "app" / "loop").symlink_to(tmp_path)
    (tmp_path / "app" / "same.py").symlink_to(tmp_path / "app" / "deep" / "code.py")
    (tmp_path / "app" / "broken.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("(")
    os.mkfifo(tmp_path / "pipe.py")
    report = check([str(tmp_path), str(tmp_path / "app")])
    assert len(lines(report)) == 1
    assert report.problems == ()


def test_neither_a_cluster_nor_kubernetes_is_needed(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(ARGO + "raise SystemExit(9)")
    script = (
        "import sys\nfrom cloudharness.workflows.cli import main\n"
        "try:\n    main.main(['check-migration', sys.argv[1]])\n"
        "finally:\n    assert 'kubernetes' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert done.returncode == 0


STANDARD = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))


def test_other_code_has_no_findings() -> None:
    report = check([str(one) for one in STANDARD[:: max(1, len(STANDARD) // 60)]])
    assert report.files >= 60
    assert report.findings == ()
    assert report.problems == ()


WORDS = st.sampled_from(
    [
        *("operations", "tasks", "argo", "self", "super", "x", "P", "wf", "raw", "spec", "retry"),
        *("class ", "def ", "return ", "import ", "from ", "lambda ", "for ", " in ", " as "),
        *("PipelineOperation", "get_workflow", ".", ",", "(", ")", "[", "]", "{", "}", ":", "="),
        *("*", "**", "\n", "\n    ", "'a-'", "0", "await ", "async ", "with ", "cloudharness"),
    ]
)


@given(st.lists(WORDS, max_size=25).map("".join))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, code: str) -> None:
    file = tmp_path_factory.mktemp("any") / "code.py"
    file.write_text(OPS + ARGO + SUBCLASS + code)
    report = check([str(file)])
    assert report.problems or report.findings


def test_the_table_names_each_rule_once() -> None:
    names = [one.id for one in RULES]
    assert len(names) == len(set(names))
