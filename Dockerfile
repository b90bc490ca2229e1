# syntax=docker/dockerfile:1

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
# The flags are the Makefile's, so that CI builds and runs the same binary.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH make build

# Static: CA certificates, time zones and a user, no shell and no libc. The
# gateway writes no files: run it with a read-only root.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /src/bin/gateway /gateway
# By number, for Kubernetes' runAsNonRoot.
USER 65532:65532
# RPCs and REST; health, metrics and profiles.
EXPOSE 8080 8081
ENTRYPOINT ["/gateway"]
