# An image of comet alone: no shell, no user but one without rights.
#
#   docker build -t comet .
#   docker run --rm -p 8000:8000 --ulimit nofile=1048576 comet
#   docker run --rm --network host comet flood 'http://web1/events/{id}' -c 10k
#
# VERSION, COMMIT and DATE are what comet version says.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY cmd cmd
COPY flood flood
COPY memlog memlog
COPY msggen msggen
COPY plots plots
COPY server server
COPY sysctl sysctl
ARG TARGETOS TARGETARCH VERSION COMMIT DATE TAGS
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -tags "$TAGS" -ldflags "-s -w \
    -X example.org/comet/cmd/internal/version.version=$VERSION \
    -X example.org/comet/cmd/internal/version.commit=$COMMIT \
    -X example.org/comet/cmd/internal/version.date=$DATE" -o /out/comet ./cmd/comet
RUN mkdir -p -m 1777 /out/tmp /out/work

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /
# bench writes its folder where it runs.
WORKDIR /work
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["/comet"]
# The admin listener stays on the container's own loopback: to let others in, give
# --admin 0.0.0.0:8001 and COMET_ADMIN_TOKEN.
CMD ["serve", "--listen", "0.0.0.0:8000"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/comet", "health"]
