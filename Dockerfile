# The operator's image: Python, the packages that the operator imports, and the libraries that they
# load. It has no shell and no package manager. BASE needs Python 3.11 to 3.14 with pip and venv, and
# the GNU tools; the default is what to build on elsewhere, the embedded cluster gives its own.
ARG BASE=docker.io/library/python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS packages
# pip stays outside of the environment.
RUN python3 -m venv --without-pip /opt/operator && rm /opt/operator/bin/[Aa]ctivate*
COPY requirements/operator.txt /build/requirements/
RUN python3 -m pip --python /opt/operator/bin/python install --no-cache-dir --require-hashes \
        -r /build/requirements/operator.txt \
    && echo /opt/operator/src > "$(echo /opt/operator/lib/python3*/site-packages)/operator.pth"
# dpkg's status of the libraries' packages is for scanners, where they find it in distroless images.
RUN set -eu; \
    python=$(readlink -f /opt/operator/bin/python); \
    library=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))'); \
    for part in config-* ensurepip idlelib lib2to3 pydoc_data site-packages test tkinter turtledemo; \
        do rm -rf "$library"/$part; done; \
    python3 -m compileall -q "$library"; \
    mkdir -p /root-of-image/var/lib/dpkg/status.d /root-of-image/tmp; \
    chmod 1777 /root-of-image/tmp; \
    { find "$library" /opt/operator -name '*.so*' -exec ldd {} +; ldd "$python"; } \
        | sed -n 's|^\t\(.* => \)\{0,1\}\(/[^ ]*\) (0x.*|\2|p' | grep -v ^/opt/ | sort -u > /build/libraries; \
    xargs cp --dereference --parents --target-directory=/root-of-image < /build/libraries; \
    cp --archive --parents "$python" "$library" /opt/operator /usr/lib/ssl /etc/ld.so.cache \
        /root-of-image; \
    ln -sf "$python" /root-of-image/opt/operator/bin/python3; \
    for file in $(cat /build/libraries); do \
        name=$({ dpkg-query --search "$file" || dpkg-query --search "/usr$file"; } 2>/dev/null \
            | sed -n '1s/:.*//p'); \
        if [ -n "$name" ]; then dpkg-query --status "$name" > "/root-of-image/var/lib/dpkg/status.d/$name"; fi; \
    done; \
    echo 'operator:x:65532:65532::/tmp:/sbin/nologin' > /root-of-image/etc/passwd; \
    env --ignore-environment "PATH=$PATH" chroot /root-of-image /opt/operator/bin/python -c \
        'import aiohttp, confluent_kafka, kopf, orjson, prometheus_client, pydantic, ssl'

FROM ${BASE} AS source
COPY core/cloudharness_operation /opt/operator/src/cloudharness_operation
COPY operator/cloudharness_operator /opt/operator/src/cloudharness_operator
RUN python3 -m compileall -q /opt/operator/src

FROM scratch
COPY --from=packages /root-of-image /
# By COPY: a build may have bound a file with authorities of its own over this one.
COPY --from=packages /etc/ssl/openssl.cnf /etc/ssl/
COPY --from=packages /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# A layer of its own: another release of the operator is a few hundred kilobytes to pull.
COPY --from=source /opt/operator/src /opt/operator/src
ENV PATH=/opt/operator/bin
USER 65532:65532
ENTRYPOINT ["/opt/operator/bin/python", "-m", "cloudharness_operator"]
