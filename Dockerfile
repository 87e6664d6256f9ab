# The image that SageMaker runs: docker run <image> train, docker run <image> serve. CPU and GPU alike.
ARG BASE_IMAGE=python:3.13-slim-trixie

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# What others wrote comes first and alone, so that a change of our code installs none of it again.
COPY requirements.lock ./
RUN python3 -m venv /opt/fraud \
 && /opt/fraud/bin/pip install --no-deps --require-hashes --requirement requirements.lock \
 && find /opt/fraud/lib -type d \( -name tests -o -name test \) -prune -exec rm -r {} +

COPY requirements-build.lock ./
RUN python3 -m venv /build/venv \
 && /build/venv/bin/pip install --no-deps --require-hashes --requirement requirements-build.lock

COPY pyproject.toml README.md LICENSE ./
COPY container container
RUN /build/venv/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /build/wheel .

FROM ${BASE_IMAGE}
# Nothing is written at run time but below /opt/ml and /tmp: pip has compiled the bytecode already.
ENV PATH=/opt/fraud/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /
COPY --from=build /opt/fraud /opt/fraud
COPY --from=build /build/wheel /opt/fraud/wheel
RUN pip install --no-cache-dir --no-deps --disable-pip-version-check --root-user-action ignore /opt/fraud/wheel/*.whl

ARG VERSION=dev
ARG REVISION=unknown
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true \
      com.amazonaws.sagemaker.capabilities.multi-models=true \
      org.opencontainers.image.title="Fraud Detect" \
      org.opencontainers.image.description="A SageMaker container that trains and serves card-fraud models" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION}

# No ENTRYPOINT: SageMaker names the program, and any other command runs as it is.
CMD ["train"]
