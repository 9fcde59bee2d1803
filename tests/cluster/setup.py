"""Makes or finds everything that a cluster is started from.

When all is in the cache this reads a few small files and runs nothing.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from tests.cluster import addons, build, images, packages, template
from tests.cluster.base import PROJECT
from tests.cluster.cache import Cache
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


def prepare(cache: Cache, versions: Versions, progress: Progress) -> Artifacts:
    """Install packages, build what is missing from the cache, say where all of it is."""
    packages.require_root()
    packages.install(progress)
    builder = images.Builder(cache)
    # Compiling keeps the processors busy, collecting jars and packages the network.
    with ThreadPoolExecutor(max_workers=2) as pool:
        kafka = pool.submit(lambda: cache.obtain(build.kafka_entry(versions), progress))
        python = pool.submit(
            lambda: (
                cache.obtain(images.pause_entry(builder), progress),
                cache.obtain(images.python_entry(builder, versions), progress),
            )
        )
        environment = build.go_environment(cache, versions.go, progress)
        kubernetes = cache.obtain(build.kubernetes_entry(versions, environment), progress)
        helm = cache.obtain(build.helm_entry(versions, environment), progress)
        coredns = cache.obtain(build.coredns_entry(versions, environment), progress)
        argo = cache.obtain(build.argo_entry(versions, environment), progress)
        pause_image, python_image = python.result()
        kafka_place = kafka.result()
    argo_image = cache.obtain(images.argo_entry(builder, versions, argo), progress)
    archives = [place / images.ARCHIVE for place in (pause_image, argo_image, python_image)]
    # Built here, where the registries answer: from within the cluster's network they do not.
    for image in images.PROJECT_IMAGES:
        images.project_archive(image, cache, progress, PROJECT, python_image / images.ARCHIVE)
    return Artifacts(
        kubernetes=str(kubernetes),
        helm=str(helm / "helm"),
        coredns=str(coredns / "coredns"),
        argo_manifests=str(cache.obtain(addons.argo_entry(versions, argo), progress)),
        kafka=str(kafka_place),
        python_image=str(python_image / images.ARCHIVE),
        node_images=str(cache.obtain(template.template_entry(archives), progress)),
    )
