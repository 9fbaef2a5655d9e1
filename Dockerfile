# Tempo in one container: docs/docker.md. The first stage makes packages, byte code and static files; the second holds
# what runs and nothing else. It starts as root, and only the launcher stays root (PYSCHED_PUID, PYSCHED_PGID).

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app

# Packages first: this layer is used again until requirements.txt changes. Byte code is compiled as "unchecked": it is
# good whatever a registry does to the times of files. It is of both kinds; the second is for the web process alone.
COPY requirements.txt ./
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-compile --requirement requirements.txt \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib \
 && python -X no_debug_ranges -m compileall -q -j 0 -o 2 --invalidation-mode unchecked-hash /opt/venv/lib

COPY manage.py pyproject.toml ./
COPY tempo_site/ tempo_site/
COPY scripts_app/ scripts_app/
COPY runs_app/ runs_app/
COPY notifications_app/ notifications_app/
COPY templates/ templates/
COPY static/ static/
COPY docs/ docs/
COPY CHANGELOG.md ./
# Every user may read it, whatever the umask of the folder it was built from.
RUN chmod -R u=rwX,go=rX . \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash . \
 && python -X no_debug_ranges -m compileall -q -j 0 -o 2 --invalidation-mode unchecked-hash . \
 && PYSCHED_DATA_PATH=/tmp/data /opt/venv/bin/python manage.py prepare \
 && /opt/venv/bin/python -m tempo_site.bootstrap.console_script \
 && rm -rf /tmp/data


FROM python:3.12-slim
LABEL org.opencontainers.image.title="Tempo" \
      org.opencontainers.image.description="Runs your Python scripts on a schedule and lets you watch." \
      org.opencontainers.image.licenses="MIT"

# libnss-wrapper tells programs such as ssh and psql a name of the user that a script runs as, which has none.
# The base image comes without the byte code of the standard library: Tempo would compile it at every start, and so
# would each run of a script, since neither may write there.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libnss-wrapper tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x '/(test|tests|idlelib|turtledemo|lib2to3|site-packages)/' \
        "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && python -X no_debug_ranges -m compileall -q -j 0 -o 2 --invalidation-mode unchecked-hash \
        -x '/(test|tests|idlelib|turtledemo|lib2to3|site-packages)/' \
        "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && mkdir --mode=1777 /data

WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYSCHED_DATA_PATH=/data \
    PYSCHED_PUID=1000 \
    PYSCHED_PGID=1000
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

# A new volume is anybody's, so that `--user` works; Tempo closes it as soon as it may.
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-S", "-c", "import http.client, sys; server = http.client.HTTPConnection('127.0.0.1', 8000, timeout=8); server.request('GET', '/healthz'); answer = server.getresponse(); print(answer.read().decode()); sys.exit(answer.status != 200)"]
ENTRYPOINT ["tini", "--", "python", "manage.py", "serve"]
CMD ["--host", "0.0.0.0", "--port", "8000"]
