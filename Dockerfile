# The container of the action. `full`, the default and what releases are, has what repositories' commands need; `slim` is the
# program alone. Without a `# syntax=` line, so that it builds where no registry is in reach.
#
#     docker build .                            builds the program too
#     docker build --build-arg BIN=prebuilt .   takes it from dist/linux-<architecture>/mlops
ARG BIN=builder
# Each can be another image, by its digest for example; the defaults are the stages below, which stand there by their names
# so that Dependabot finds them.
ARG BASE_IMAGE=base
ARG RUST_IMAGE=rust
ARG UV_IMAGE=uv

FROM debian:trixie-slim AS base
FROM rust:1.95-bookworm AS rust
FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

# hadolint ignore=DL3006
FROM ${UV_IMAGE} AS uv-image

# hadolint ignore=DL3006
FROM ${RUST_IMAGE} AS builder
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3045
COPY . source
# The target is named, so that the flags are for the program and not for what runs while it is built.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build \
    target="$(rustc -vV | sed -n 's/^host: //p')" && \
    RUSTFLAGS='-C target-feature=+crt-static' CARGO_TARGET_DIR=/build \
    cargo build --manifest-path source/Cargo.toml --locked --profile dist --bin mlops --target "$target" && \
    install -D "/build/$target/dist/mlops" /out/mlops

FROM scratch AS prebuilt
ARG TARGETARCH
COPY dist/linux-${TARGETARCH}/mlops /out/mlops

# hadolint ignore=DL3006
FROM ${BIN} AS bin

FROM scratch AS slim
LABEL org.opencontainers.image.title="mlops-action" \
      org.opencontainers.image.description="The machine-learning lifecycle of a repository; the program alone" \
      org.opencontainers.image.source="https://github.com/mlops-action/mlops-action" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=bin --chmod=755 /out/mlops /usr/local/bin/mlops
ENTRYPOINT ["/usr/local/bin/mlops"]

# hadolint ignore=DL3006
FROM ${BASE_IMAGE} AS full
LABEL org.opencontainers.image.title="mlops-action" \
      org.opencontainers.image.description="The machine-learning lifecycle of a repository as one GitHub Action" \
      org.opencontainers.image.source="https://github.com/mlops-action/mlops-action" \
      org.opencontainers.image.licenses="Apache-2.0"
# Python for the repository's commands and git for what they call; their versions come with the base image.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates git python3 python3-venv && \
    rm -rf /var/lib/apt/lists/*
COPY --from=uv-image /uv /usr/local/bin/uv
COPY --from=bin --chmod=755 /out/mlops /usr/local/bin/mlops
RUN ln -s mlops /usr/local/bin/mlops-action
# Another Python is fetched only when a step asks for it, in the open.
ENV UV_PYTHON_DOWNLOADS=manual \
    PYTHONUNBUFFERED=1
# The workspace of a container action can be written by root alone; commands of the repository run as its owner.
# hadolint ignore=DL3002
USER 0
ENTRYPOINT ["/usr/local/bin/mlops"]
