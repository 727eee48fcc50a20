# One static binary and nothing else. Built with glibc's own static libraries: nothing here resolves names
# at request time, which is what static glibc is bad at.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY bench bench
ENV RUSTFLAGS="-C target-feature=+crt-static"
# The target is named so that procedural macros stay dynamic.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && cargo build --release --locked --bin synkronic --target "$target" \
 && cp "target/$target/release/synkronic" /synkronic

FROM scratch
COPY --from=build /synkronic /synkronic
USER 65532:65532
ENTRYPOINT ["/synkronic"]
CMD ["--help"]
