# syntax=docker/dockerfile:1
# Two images from one file: `docker build --target cpu .` and `docker build --target cuda .`
# The CUDA image needs the NVIDIA container runtime on the host; the CUDA libraries come with the Python packages.

FROM python:3.11-slim AS build-base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/convlens
ENV PATH=/opt/convlens/bin:$PATH
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY service ./service

FROM build-base AS build-cpu
# hadolint ignore=DL3013
RUN pip install '.[cpu]' && convlens build --models-dir /opt/onnx_models

FROM build-base AS build-cuda
# hadolint ignore=DL3013
RUN pip install '.[gpu]' && convlens build --models-dir /opt/onnx_models

FROM python:3.11-slim AS runtime
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
    CMD ["python", "-c", "import httpx; httpx.get('http://localhost:8000/readyz').raise_for_status()"]
ENTRYPOINT ["convlens"]
CMD ["serve"]

FROM runtime AS cuda
COPY --from=build-cuda /opt /opt

FROM runtime AS cpu
COPY --from=build-cpu /opt /opt
