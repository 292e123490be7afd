# The image of Leads CRM: one static-as-can-be program on Debian, run as an ordinary user, without a PostgreSQL of its
# own. `docker compose up` builds it; each command below also works on a Debian machine (`make release`).

FROM swift:6.3-bookworm AS build
WORKDIR /source
COPY deploy/install-packages deploy/packages-build deploy/fetch-swagger-ui deploy/swagger-ui.txt deploy/
RUN deploy/install-packages @deploy/packages-build python3-venv
RUN deploy/fetch-swagger-ui /swagger-ui
# The dependencies change less often than the program, and have a layer of their own.
COPY Package.swift ./
RUN swift package resolve
COPY Sources Sources
COPY sql sql
# SwiftPM wants to see every target of the package, also those that are not built.
COPY Tests Tests
COPY Benchmarks Benchmarks
RUN swift build -c release --product leads-crm --static-swift-stdlib
RUN strip -o /leads-crm .build/release/leads-crm

# The same Debian as above: the program is linked to its libraries.
FROM debian:bookworm-slim
COPY deploy/install-packages deploy/packages-runtime /tmp/deploy/
RUN /tmp/deploy/install-packages @/tmp/deploy/packages-runtime && rm -rf /tmp/deploy /var/lib/apt/lists/*
RUN groupadd --gid 10001 leads && \
    useradd --uid 10001 --gid leads --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin leads
COPY --from=build /swagger-ui /usr/share/leads-crm/swagger-ui
COPY --from=build /leads-crm /usr/local/bin/leads-crm
ENV LEADS_HOST=0.0.0.0 \
    LEADS_PORT=8000 \
    LEADS_SWAGGER_UI=/usr/share/leads-crm/swagger-ui
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["leads-crm", "health"]
ENTRYPOINT ["leads-crm"]
CMD ["serve"]
