#!/bin/sh
# libnss-wrapper 1.1.12 (Debian 12): files of users replace those of the system, and one file alone does nothing.
#
# One would expect that NSS_WRAPPER_PASSWD adds a name to a uid that has none, as libnss-extrausers does. It takes two
# variables: with NSS_WRAPPER_PASSWD alone the library stays out of the way without a word, and the uid has no name.
# With NSS_WRAPPER_GROUP too the uid has its name, and the system's own users are gone: root is unknown, and so are the
# owners of most files. A file for one user has to repeat the system's lines.
#
# Seen: "passwd alone: no name, root is known" and "passwd and group: job, root is unknown"
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download libnss-wrapper=1.1.12-1 2>apt.err || { cat apt.err >&2; exit 2; }
dpkg -x libnss-wrapper_1.1.12-1_*.deb unpacked
library=$(find "$work/unpacked" -name libnss_wrapper.so)
echo 'job:x:4242:4242::/tmp:/bin/sh' >passwd
echo 'job:x:4242:' >group
cat >ask.py <<'TEXT'
import pwd
try:
    name = pwd.getpwuid(4242).pw_name
except KeyError:
    name = "no name"
try:
    root = "root is known" if pwd.getpwnam("root") else ""
except KeyError:
    root = "root is unknown"
print(f"{name}, {root}")
TEXT
alone=$(LD_PRELOAD="$library" NSS_WRAPPER_PASSWD=passwd python3 ask.py)
both=$(LD_PRELOAD="$library" NSS_WRAPPER_PASSWD=passwd NSS_WRAPPER_GROUP=group python3 ask.py)
seen="passwd alone: $alone
passwd and group: $both"
echo "$seen"
expected="passwd alone: no name, root is known
passwd and group: job, root is unknown"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
