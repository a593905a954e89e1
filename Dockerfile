# syntax=docker/dockerfile:1
# A static binary and the system's certificate authorities, nothing else: no shell, no libc, not root.
#
#   docker build --tag ghcr.io/webhookoperator/webhook-operator:0.1.0 .

FROM rust:1.95-alpine AS build
# The C compiler is for aws-lc, the TLS library. Alpine's Rust links musl statically.
RUN apk add --no-cache build-base
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package webhook-operator --bin webhook-operator \
    && install -D target/release/webhook-operator /image/webhook-operator

FROM gcr.io/distroless/static-debian13:nonroot
COPY --from=build /image/webhook-operator /webhook-operator
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/webhook-operator"]
CMD ["run"]
