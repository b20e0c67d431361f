# syntax=docker/dockerfile:1
# The one binary on an image that holds nothing else but certificates and time zones.

FROM golang:1.26-bookworm AS build
WORKDIR /src
# The modules on their own layer: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/daybook ./cmd/daybook \
 && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/daybook /daybook
COPY LICENSE /LICENSE
# A named volume takes its owner from what it covers, and the process is not root.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV DAYBOOK_DATA=/data DAYBOOK_LISTEN=:8080
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# The image has no shell and no curl: the binary asks its own /readyz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=6 CMD ["/daybook", "health"]
ENTRYPOINT ["/daybook"]
CMD ["serve"]
