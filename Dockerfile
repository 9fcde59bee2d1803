# The operator's image. BASE needs Python 3.11 to 3.14 with pip and venv; the default is what
# to build on elsewhere, the embedded cluster gives its own.
ARG BASE=docker.io/library/python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS build
RUN python3 -m venv /opt/operator
COPY requirements/operator.txt /build/requirements/
RUN /opt/operator/bin/pip install --no-cache-dir --require-hashes -r /build/requirements/operator.txt
COPY core/cloudharness_operation /build/core/cloudharness_operation
COPY operator/cloudharness_operator /build/operator/cloudharness_operator
# Two pure packages that run from where they lie: no wheel is needed to copy them.
RUN cp -r /build/core/cloudharness_operation /build/operator/cloudharness_operator \
        /opt/operator/lib/python3*/site-packages/ \
    && /opt/operator/bin/python -m compileall -q /opt/operator/lib \
    && rm -rf /opt/operator/lib/python3*/site-packages/pip*

FROM ${BASE}
COPY --from=build /opt/operator /opt/operator
USER 65532:65532
ENTRYPOINT ["/opt/operator/bin/python", "-m", "cloudharness_operator"]
