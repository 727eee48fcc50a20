# One static binary and nothing else. Built with glibc's own static libraries: nothing here resolves names
# at request time, which is what static glibc is bad at.
# tests/kubernetes/image makes the same image from the last stage below, without a container engine.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY src src
# Only the program itself is told: libraries are the same either way, and procedural macros stay dynamic.
RUN cargo rustc --release --locked --bin synkronic -- -C target-feature=+crt-static \
 && cp target/release/synkronic /synkronic

FROM scratch
COPY --from=build /synkronic /usr/bin/synkronic
ENV PATH=/usr/bin
# HTTP, and the admin port
EXPOSE 8080 9090
USER 65532:65532
ENTRYPOINT ["/usr/bin/synkronic"]
CMD ["--help"]
