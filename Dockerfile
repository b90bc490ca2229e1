# Images by digest: a tag can come to mean another one. deploy/README.md, "Images".
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
# Of a release; without it, the version is that of the commit.
ARG VERSION=
ENV GOCACHE=/var/cache/go-build
# The flags are the Makefile's, so that CI builds and runs the same binary.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/var/cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH make build ${VERSION:+VERSION=$VERSION}

# Static: CA certificates, time zones and a user, no shell and no libc. The
# gateway writes no files: run it with a read-only root.
FROM gcr.io/distroless/static-debian12:nonroot@sha256:b7bb25d9f7c31d2bdd1982feb4dafcaf137703c7075dbe2febb41c24212b946f
# Version and commit are in the binary: gateway --version.
LABEL org.opencontainers.image.title="Admin Gateway" \
      org.opencontainers.image.description="The OpenAI Admin API as typed RPCs, behind a policy for each caller"
COPY --from=build /src/bin/gateway /gateway
# By number, for Kubernetes' runAsNonRoot.
USER 65532:65532
# All doors; gRPC alone; health and metrics. The last is for operators.
EXPOSE 8080 8090 8081
ENTRYPOINT ["/gateway"]
