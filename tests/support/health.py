"""Runs Argo CD's health check for operations as Argo CD does: in Lua 5.1, on one object."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml
from lupa import lua51

from cloudharness_operation.names import GROUP, KIND

HOME = Path(__file__).parents[2] / "gitops" / "argocd"
SCRIPT = HOME / "health.lua"
SETTING = f"resource.customizations.health.{GROUP}_{KIND}"
# What a script may use there: no strings beyond what the language has itself.
LIBRARIES = (
    *("assert", "error", "ipairs", "next", "pairs", "pcall", "select", "setmetatable", "table"),
    *("tonumber", "tostring", "type"),
)


class Health(NamedTuple):
    """What Argo CD shows."""

    status: str
    message: str


def health(manifest: dict[str, Any]) -> Health:
    """Run the script on an object.

    Raises:
        lua51.LuaError: the script has failed, or used what Argo CD does not give it.
    """
    runtime = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    known = {name: runtime.globals()[name] for name in LIBRARIES}
    enclosed = runtime.eval("function(text, env) return setfenv(assert(loadstring(text)), env) end")
    env = runtime.table_from(known)
    env["obj"] = runtime.table_from(_without_nulls(manifest), recursive=True)
    answer = enclosed(SCRIPT.read_text(), env)()
    return Health(answer["status"], answer["message"])


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list | tuple) else value


def setting() -> str:
    """Return the patch of Argo CD's configuration that installs the script."""
    script = "".join(f"    {line}\n" if line else "\n" for line in SCRIPT.read_text().splitlines())
    return (
        "# Written by `make generate` from health.lua. Install it:\n"
        "#   kubectl --namespace argocd patch configmap argocd-cm --type merge \\\n"
        "#     --patch-file gitops/argocd/argocd-cm.yaml\n"
        "apiVersion: v1\n"
        "kind: ConfigMap\n"
        "metadata:\n"
        "  name: argocd-cm\n"
        f"data:\n  {SETTING}: |\n{script}"
    )


def cases() -> list[dict[str, Any]]:
    """Return the cases, in the layout of Argo CD's own repository."""
    found = yaml.safe_load((HOME / "health_test.yaml").read_text())
    return list(found["tests"])
