# syntax=docker/dockerfile:1
# A static binary and the system's certificate authorities, nothing else: no shell, no libc, not root.
#
#   docker build --tag ghcr.io/webhookoperator/webhook-operator:0.1.0 .

FROM rust:1.95-slim-trixie AS build
WORKDIR /source
COPY . .
# Static glibc, as `cargo xtask image` has it, and not musl, whose allocator has one lock for all threads. With a
# platform by name, these flags are not for macros, which can't be static.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    platform="$(rustc --print host-tuple)" \
    && RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' \
    cargo build --release --locked --target "$platform" --package webhook-operator --bin webhook-operator \
    && install -D "target/$platform/release/webhook-operator" /image/webhook-operator

FROM gcr.io/distroless/static-debian13:nonroot
COPY --from=build /image/webhook-operator /webhook-operator
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/webhook-operator"]
CMD ["run"]
