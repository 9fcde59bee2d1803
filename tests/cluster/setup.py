"""Makes or finds everything that a cluster is started from.

When all is in the cache this reads a few small files and runs nothing.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster import addons, build, images, packages, template
from tests.cluster.base import PROJECT
from tests.cluster.cache import Cache, Entry
from tests.cluster.progress import Progress
from tests.cluster.versions import Versions


@dataclass(frozen=True)
class Artifacts:
    """Where the parts of a cluster lie in the cache."""

    kubernetes: str
    helm: str
    coredns: str
    argo_manifests: str
    kafka: str
    python_image: str
    node_images: str

    def to_dict(self) -> dict[str, str]:
        """Plain data, to hand to the supervisor."""
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """What a cluster is made of, as entries of the cache."""

    kubernetes: Entry
    helm: Entry
    argo: Entry
    argo_image: Entry
    argo_manifests: Entry
    coredns: Entry
    kafka: Entry
    pause: Entry
    python: Entry
    project_images: tuple[Entry, ...]
    node_images: Entry

    @classmethod
    def of(cls, cache: Cache, versions: Versions, progress: Progress) -> "Plan":
        """Of these versions, and of the working tree."""
        builder = images.Builder(cache)
        environment = build.go_environment(cache, versions.go, progress)
        argo = build.argo_entry(versions, environment)
        argo_image = images.argo_entry(builder, versions, cache.place(argo))
        pause, python = images.pause_entry(builder), images.python_entry(builder, versions)
        archive = cache.place(python) / images.ARCHIVE
        return cls(
            kubernetes=build.kubernetes_entry(versions, environment),
            helm=build.helm_entry(versions, environment),
            argo=argo,
            argo_image=argo_image,
            argo_manifests=addons.argo_entry(versions, cache.place(argo)),
            coredns=build.coredns_entry(versions, environment),
            kafka=build.kafka_entry(versions),
            pause=pause,
            python=python,
            # Built here, where the registries answer: from the cluster's network they do not.
            project_images=tuple(
                images.project_entry(image, cache, progress, PROJECT, archive)[1]
                for image in images.PROJECT_IMAGES
            ),
            node_images=template.template_entry(
                [cache.place(entry) / images.ARCHIVE for entry in (pause, argo_image, python)]
            ),
        )

    @property
    def lanes(self) -> tuple[tuple[Entry, ...], ...]:
        """What can be obtained side by side: each lane in its order.

        What is compiled keeps the processors busy, what is collected the network. The end of a
        program, its linking, keeps one processor busy, and so two programs are built at once.
        """
        return (
            (self.kubernetes, self.helm),
            (self.argo, self.coredns),
            (self.kafka,),
            (self.pause, self.python, *self.project_images),
        )

    @property
    def last(self) -> tuple[Entry, ...]:
        """What is made of the others, in this order."""
        return (self.argo_image, self.argo_manifests, self.node_images)

    def obtain(self, obtain: Callable[[Entry], Path]) -> None:
        """Obtain every entry, each after those that it is made of."""

        def one(lane: tuple[Entry, ...]) -> None:
            for entry in lane:
                obtain(entry)

        with ThreadPoolExecutor(max_workers=len(self.lanes)) as pool:
            for done in [pool.submit(one, lane) for lane in self.lanes]:
                done.result()
        one(self.last)


def was_built(cache: Cache) -> bool:
    """Whether some cluster was ever built to its end in this cache."""
    return any((cache.root / "entries").glob("node-images-*"))


def prepare(cache: Cache, versions: Versions, progress: Progress) -> Artifacts:
    """Install packages, build what is missing from the cache, say where all of it is."""
    packages.require_root()
    packages.install(progress)
    plan = Plan.of(cache, versions, progress)
    entries = [*(entry for lane in plan.lanes for entry in lane), *plan.last]
    missing = {entry.name: entry.seconds for entry in entries if not cache.place(entry).is_dir()}
    progress.forecast.expect(missing)
    plan.obtain(lambda entry: cache.obtain(entry, progress))
    for image in images.PROJECT_IMAGES:
        images.forget_old(cache, image)
    return Artifacts(
        kubernetes=str(cache.place(plan.kubernetes)),
        helm=str(cache.place(plan.helm) / "helm"),
        coredns=str(cache.place(plan.coredns) / "coredns"),
        argo_manifests=str(cache.place(plan.argo_manifests)),
        kafka=str(cache.place(plan.kafka)),
        python_image=str(cache.place(plan.python) / images.ARCHIVE),
        node_images=str(cache.place(plan.node_images)),
    )
