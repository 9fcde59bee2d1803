"""The Python client in a pod: its own image, the pod's own account, nothing configured."""

import json
from typing import Any

import pytest

from tests.support.installation import Installation, Manifest, eventually

pytestmark = pytest.mark.e2e

SERVICE = """
import json
from cloudharness.workflows import argo, operations, tasks

def double(number):
    return 2 * number

task = tasks.PythonTask("double", double, number=21)
op = operations.DistributedSyncOperationWithResults("from-a-pod-", task)
result = op.execute(timeout=240)
print(json.dumps({"result": result, "found": argo.get_workflow(op.persisted.name).status}))
"""


def pod(image: str, account: str) -> Manifest:
    """A service that runs one operation, from a file as a service's code is."""
    container: dict[str, Any] = {
        "name": "main",
        "image": image,
        "command": ["python3", "/service/main.py"],
        "volumeMounts": [{"name": "code", "mountPath": "/service"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "service"},
        "spec": {
            "serviceAccountName": account,
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [{"name": "code", "configMap": {"name": "service"}}],
        },
    }


def test_a_service_runs_an_operation_by_its_own_account(shared: Installation) -> None:
    image = shared.cluster.client_image()
    code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "service"}}
    account = f"--serviceaccount={shared.namespace}:service"
    shared.kubectl("create", "serviceaccount", "service")
    shared.kubectl("create", "rolebinding", "service", "--clusterrole=edit", account)
    shared.apply({**code, "data": {"main.py": SERVICE}}, pod(image, "service"))

    def phase() -> str:
        return str(shared.get("pods", "service")["status"]["phase"])

    eventually(lambda: phase() in ("Succeeded", "Failed"), timeout=240)
    said = shared.kubectl("logs", "service")
    assert phase() == "Succeeded", said
    assert json.loads(said) == {"result": 42, "found": "Succeeded"}
