"""Container images, made from Debian packages and our own binaries: no image is pulled.

Built by buildah with a storage of its own in the cache, inside a mount namespace, so that
the machine's container storage, if any, is neither used nor touched. Each result is an
archive that a node's containerd imports.
"""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cache import Cache, Entry
from tests.cluster.progress import Progress, Step
from tests.cluster.versions import (
    CLIENT_IMAGE,
    OPERATOR_IMAGE,
    PAUSE_IMAGE,
    PYTHON_IMAGE,
    SAMPLES_IMAGE,
    Versions,
)
from tests.machine import tree

HERE = Path(__file__).parent / "dockerfiles"
ARCHIVE = "image.tar"
KEPT_IMAGES = 3
MACHINE_SETTINGS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")

# A mount and process namespace of its own: whatever ends a build, its mounts and processes
# end with it. The private /run and /var/lib/containers are where buildah leaves notes; on
# many machines the resolver's configuration is a link into the /run that this hides.
SANDBOX = (
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-ec"),
    """
resolver=$(cat /etc/resolv.conf || :)
mount -t tmpfs run /run
if [ -d /var/lib/containers ]; then mount -t tmpfs lib /var/lib/containers; fi
if [ ! -e /etc/resolv.conf ] && [ -L /etc/resolv.conf ]; then
    mkdir -p "$(dirname "$(readlink -m /etc/resolv.conf)")"
    echo "$resolver" > /etc/resolv.conf
fi
exec "$@"
""",
    "sandbox",
)


@dataclass(frozen=True)
class Builder:
    """Buildah on a storage in the cache."""

    cache: Cache

    def build(self, step: Step, context: Path, dockerfile: Path, tag: str, *arguments: str) -> None:
        """Build an image and keep it in the storage under its tag."""
        step.run(
            [
                *(*SANDBOX, *self._buildah("bud"), "--isolation", "chroot", "--layers"),
                *("--format", "docker", "--tag", tag, "--file", str(dockerfile)),
                *(*trust(), *arguments, str(context)),
            ]
        )

    def save(self, step: Step, tag: str, archive: Path) -> None:
        """Write an image of the storage into an archive."""
        step.run([*SANDBOX, *self._buildah("push"), tag, f"docker-archive:{archive}:{tag}"])

    def load(self, step: Step, archive: Path) -> None:
        """Put an archive's image into the storage."""
        step.run([*SANDBOX, *self._buildah("pull"), f"docker-archive:{archive}"])

    def has(self, tag: str) -> bool:
        """Whether the storage holds the image."""
        found = subprocess.run(
            [*SANDBOX, *self._buildah("images"), "--quiet", tag], capture_output=True, check=False
        )
        return found.returncode == 0

    def _buildah(self, command: str) -> list[str]:
        root = self.cache.root / "buildah"
        return ["buildah", "--root", str(root / "storage"), "--runroot", str(root / "run"), command]


def trust() -> list[str]:
    """Let a build reach registries as this machine does: by its authorities and its pip settings.

    Bound while the build runs and not in the image, so a company's proxy stays out of it.
    """
    files = [path for path in MACHINE_SETTINGS if Path(path).is_file()]
    return [f"--volume={path}:{path}:ro" for path in files]


def pause_entry(builder: Builder) -> Entry:
    """The image that holds a pod together."""

    def build(place: Path, step: Step) -> None:
        context = place / "context"
        context.mkdir()
        shutil.copy("/bin/busybox", context)
        _image(builder, step, place, HERE / "pause" / "Dockerfile", PAUSE_IMAGE)

    return Entry("image-pause", (PAUSE_IMAGE, _text("pause")), build)


def python_entry(builder: Builder, versions: Versions) -> Entry:
    """The image that script steps run in, and the base of the operator's."""
    options = [
        "--variant=minbase",
        "--include=python3,python3-pip,python3-venv,ca-certificates,bash",
    ]

    def build(place: Path, step: Step) -> None:
        context = place / "context"
        context.mkdir()
        step.run([*SANDBOX, "mmdebstrap", *options, versions.debian, str(context / "rootfs.tar")])
        _image(builder, step, place, HERE / "python" / "Dockerfile", PYTHON_IMAGE)

    inputs: list[str | bytes] = [PYTHON_IMAGE, _text("python"), versions.debian, *options]
    return Entry("image-python", inputs, build, 40)


def argo_entry(builder: Builder, versions: Versions, argo: Path) -> Entry:
    """The image with Argo's controller and executor."""

    def build(place: Path, step: Step) -> None:
        context = place / "context"
        context.mkdir()
        for binary in ("workflow-controller", "argoexec"):
            (context / binary).hardlink_to(argo / binary)
        _image(builder, step, place, HERE / "argo" / "Dockerfile", versions.argo_image)

    return Entry(f"image-argo-{versions.argo}", (argo.name, _text("argo")), build, 5)


def _image(builder: Builder, step: Step, place: Path, dockerfile: Path, tag: str) -> None:
    with builder.cache.lock("buildah"):
        builder.build(step, place / "context", dockerfile, tag)
        builder.save(step, tag, place / ARCHIVE)
    shutil.rmtree(place / "context")


def _text(name: str) -> bytes:
    return (HERE / name / "Dockerfile").read_bytes()


@dataclass(frozen=True)
class ProjectImage:
    """An image of the project's own."""

    repository: str
    dockerfile: str
    inputs: tuple[str, ...]
    """What goes into it, below the project's root."""
    base: "ProjectImage | None" = None
    """What it is built on; left out: the Python image."""

    @property
    def name(self) -> str:
        """Its name among others of the project."""
        return self.repository.rpartition("/")[2]

    def tag(self, project: Path) -> str:
        """Its whole name, the same for the same contents."""
        return self.tagged(inputs_digest(project, self))

    def tagged(self, digest: str) -> str:
        """Its whole name, from the digest of its inputs."""
        return f"{self.repository}:{digest[:12]}"


def _project_image(repository: str, dockerfile: str, room: str) -> ProjectImage:
    inputs = ("core", room, f"requirements/{room}.txt", dockerfile, ".dockerignore")
    return ProjectImage(repository, dockerfile, inputs)


OPERATOR = _project_image(OPERATOR_IMAGE, "Dockerfile", "operator")
CLIENT = _project_image(CLIENT_IMAGE, "client/Dockerfile", "client")
_SAMPLES = "examples/samples-service"
SAMPLES = ProjectImage(
    SAMPLES_IMAGE,
    f"{_SAMPLES}/Dockerfile",
    (*CLIENT.inputs, f"{_SAMPLES}/app.py", f"{_SAMPLES}/Dockerfile", "requirements/samples.txt"),
    CLIENT,
)
PROJECT_IMAGES = (OPERATOR, CLIENT, SAMPLES)


def project_archive(
    image: ProjectImage, cache: Cache, progress: Progress, project: Path, base: Path
) -> tuple[str, Path]:
    """Build an image of the project; return its name and its archive.

    `base` is the archive of the Python image, which all of them go back to.
    """
    tag, entry = project_entry(image, cache, progress, project, base)
    archive = cache.obtain(entry, progress) / ARCHIVE
    forget_old(cache, image)
    return tag, archive


def project_entry(
    image: ProjectImage, cache: Cache, progress: Progress, project: Path, base: Path
) -> tuple[str, Entry]:
    """The name and the entry of an image of the project, on the archive of the Python image."""
    digest = inputs_digest(project, image)
    tag = image.tagged(digest)
    builder = Builder(cache)

    def build(place: Path, step: Step) -> None:
        below, archive = PYTHON_IMAGE, base
        if image.base:
            below, archive = project_archive(image.base, cache, progress, project, base)
        with cache.lock("buildah"):
            if not builder.has(below):
                builder.load(step, archive)
            dockerfile = project / image.dockerfile
            builder.build(step, project, dockerfile, tag, "--build-arg", f"BASE={below}")
            builder.save(step, tag, place / ARCHIVE)

    return tag, Entry(f"image-{image.name}", (digest, base.parent.name), build, 20)


def inputs_digest(project: Path, image: ProjectImage) -> str:
    """A hash of every file of the project that goes into an image."""
    digest = hashlib.sha256()
    for name in tree.files(project, *image.inputs):
        path = project / name
        if path.is_file():
            digest.update(f"{name}\0{path.stat().st_mode:o}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def forget_old(cache: Cache, image: ProjectImage) -> None:
    """Delete what was built of older trees: every edit makes an image of some hundred megabytes."""
    images = (cache.root / "entries").glob(f"image-{image.name}-*")
    for old in sorted(images, key=lambda path: path.stat().st_mtime)[:-KEPT_IMAGES]:
        shutil.rmtree(old, ignore_errors=True)
