# syntax=docker/dockerfile:1
# Two images from one file: `docker build --target cpu .` and `docker build --target cuda .`; without a Docker engine
# `buildah build --format docker --target cpu .` (OCI's own format knows no HEALTHCHECK).
# The CUDA image needs the NVIDIA container runtime on the host; the CUDA libraries come with the Python packages.
# Packages are locked with hashes. The tag of the base moves: to pin that too, name its digest,
# `--build-arg PYTHON=python:3.11-slim@sha256:…`.
ARG PYTHON=python:3.11-slim

# hadolint ignore=DL3006
FROM ${PYTHON} AS build-base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_BUILD_CONSTRAINT=/src/requirements/build.txt
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/build.txt requirements/
RUN python -m venv /opt/pip \
    && /opt/pip/bin/pip install --require-hashes --requirement requirements/build.txt \
    && python -m venv --without-pip /opt/convlens
ENV PATH=/opt/convlens/bin:$PATH
COPY requirements/slim.sh ./

# Bytecode is kept of what the service imports, which is a fifth of all.
FROM build-base AS build-cpu
COPY requirements/cpu.txt requirements/
RUN /opt/pip/bin/pip --python /opt/convlens install --no-compile --require-hashes --requirement requirements/cpu.txt \
    && sh slim.sh /opt/convlens
COPY pyproject.toml setup.py README.md LICENSE ./
COPY service ./service
RUN /opt/pip/bin/pip --python /opt/convlens install --no-deps . \
    && convlens build --models-dir /opt/onnx_models \
    && python -c 'import service.cli.serving, service.saliency.plots'

FROM build-base AS build-cuda
COPY requirements/gpu.txt requirements/
RUN /opt/pip/bin/pip --python /opt/convlens install --no-compile --require-hashes --requirement requirements/gpu.txt \
    && sh slim.sh /opt/convlens
COPY pyproject.toml setup.py README.md LICENSE ./
COPY service ./service
RUN /opt/pip/bin/pip --python /opt/convlens install --no-deps . \
    && convlens build --models-dir /opt/onnx_models \
    && python -c 'import service.cli.serving, service.saliency.plots'

# hadolint ignore=DL3006
FROM ${PYTHON} AS runtime
RUN useradd --create-home --uid 10001 convlens \
    && mkdir /data \
    && chown convlens /data
ENV PATH=/opt/convlens/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CONVLENS_HOST=0.0.0.0 \
    CONVLENS_DATA_DIR=/data \
    CONVLENS_MODELS_DIR=/opt/onnx_models
USER 10001
WORKDIR /home/convlens
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.getenv('CONVLENS_PORT', '8000') + '/readyz')"]
ENTRYPOINT ["convlens"]
CMD ["serve"]

FROM runtime AS cuda
COPY --from=build-cuda /opt/convlens /opt/convlens
COPY --from=build-cuda /opt/onnx_models /opt/onnx_models

FROM runtime AS cpu
COPY --from=build-cpu /opt/convlens /opt/convlens
COPY --from=build-cpu /opt/onnx_models /opt/onnx_models
