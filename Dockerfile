# Tempo in one container: docs/docker.md. The first stage makes packages, byte code and static files; the second holds
# what runs and nothing else. It starts as root, and only the launcher stays root (PYSCHED_PUID, PYSCHED_PGID).

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app

# Packages first: this layer is used again until requirements.txt changes. Left out is what Tempo never uses of them:
# tests, translations, other databases and protocols, a debugger's symbols. Byte code is compiled as "unchecked": it is
# good whatever a registry does to the times of files. It is of both kinds; the second is for the web process alone,
# which sends nothing.
COPY requirements.txt ./
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils \
 && python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-compile --requirement requirements.txt \
 && cd /opt/venv/lib/python3.12/site-packages \
 && find . -type d '(' -name test -o -name tests ')' -not -path './django/*' -prune -exec rm -r {} + \
 && find . -type f '(' -name '*.mo' -o -name '*.po' -o -name '*.pyi' -o -name RECORD -o -path '*/sboms/*' ')' \
        -not -path '*/cron_descriptor/locale/en_US.mo' -delete \
 && find django_ace/static -type f -not -name ace.js -not -name ext-searchbox.js -not -name mode-python.js \
        -not -path '*/css/*' -delete \
 && rm -r autobahn/_flatc autobahn/asyncio autobahn/wamp/gen cbor2 ninja/static \
        OpenSSL pydantic/v1 service_identity ../../../bin/uvx \
 && (cd django/contrib && rm -r admindocs flatpages gis postgres redirects) \
 && (cd django/db/backends && rm -r mysql oracle postgresql) \
 && (cd twisted && rm -r conch enterprise mail names pair positioning runner spread tap trial words) \
 && find . -type f -name '*.so' -exec strip --strip-unneeded {} + \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib \
 && python -X no_debug_ranges -m compileall -q -j 0 -o 2 --invalidation-mode unchecked-hash /opt/venv/lib \
        -x '/(anymail|apprise|cffi|click|cryptography|markdown|migrations|oauthlib|requests|sqlparse|urllib3|yaml)/'

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
 && python -X no_debug_ranges -m compileall -q -j 0 -o 2 --invalidation-mode unchecked-hash -x /migrations/ . \
 && export PYSCHED_DATA_PATH=/tmp/data \
 && /opt/venv/bin/python manage.py prepare \
 && /opt/venv/bin/python manage.py check \
 && install --mode=644 /tmp/data/tempo.sqlite3 empty.sqlite3 \
 && /opt/venv/bin/python -m tempo_site.bootstrap.console_script \
 && rm -rf /tmp/data


FROM python:3.12-slim
LABEL org.opencontainers.image.title="Tempo" \
      org.opencontainers.image.description="Runs your Python scripts on a schedule and lets you watch." \
      org.opencontainers.image.licenses="MIT"

# What scripts call for. More of Debian for them: docker build --build-arg EXTRA_PACKAGES="git libpango-1.0-0".
# libnss-wrapper tells programs such as ssh and psql a name of the user that a script runs as, which has none.
# SQLite up to 3.51.2 can lose pages of a log (docs/architecture.md). Debian's next release has a newer one, which needs
# nothing else of it.
ARG EXTRA_PACKAGES=""
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
        ca-certificates libnss-wrapper openssh-client rsync tini tzdata $EXTRA_PACKAGES \
 && . /etc/os-release \
 && sed "s/$VERSION_CODENAME/forky/g" /etc/apt/sources.list.d/debian.sources >/etc/apt/sources.list.d/forky.sources \
 && apt-get update \
 && apt-get install --yes --no-install-recommends libsqlite3-0 \
 && rm -rf /etc/apt/sources.list.d/forky.sources /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old \
        /var/lib/dpkg/*-old /var/log/apt /var/log/dpkg.log \
 && python -c 'import sqlite3; assert sqlite3.sqlite_version_info >= (3, 51, 3), sqlite3.sqlite_version'

# The base image comes without the byte code of the standard library: Tempo would compile it at every start, and so
# would each run of a script, since neither may write there.
RUN stdlib="$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && unused='_pydatetime|_pydecimal|_pyio|doctest|ftplib|imaplib|mailbox|optparse|pdb|pickletools|turtle' \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$stdlib" \
        -x '/(test|tests|ensurepip|idlelib|lib2to3|pydoc_data|site-packages|tkinter|turtledemo)/' \
 && python -X no_debug_ranges -m compileall -q -j 0 -o 2 --invalidation-mode unchecked-hash "$stdlib" \
        -x "/(test|tests|ensurepip|idlelib|lib2to3|pydoc_data|site-packages|tkinter|unittest|xml)/|/($unused)\." \
 && mkdir --mode=1777 /data

WORKDIR /app
# TEMPO_CONTAINER: PUID, PGID, UMASK and TZ count, and the address of this container is nobody's to open.
ENV PATH=/opt/venv/bin:$PATH \
    PYSCHED_DATA_PATH=/data \
    PUID=1000 \
    PGID=1000 \
    TEMPO_CONTAINER=true
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
