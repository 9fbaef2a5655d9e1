#!/bin/sh
# Linux 6.18 with util-linux 2.38.1 and coreutils 9.1 of Debian 12: CAP_CHOWN alone gives any file away, but one with a
# set-user-ID or set-group-ID bit. The kernel takes the bit off in the same call, and asks for that as for a chmod: the file
# has to be one's own, or CAP_FOWNER has to be there. So a container that keeps CHOWN, SETUID and SETGID of root's rights, which
# is what "give the folder to the service user" seems to need, ends with EPERM at the first such file of a volume.
# chown(2) says that the bits are cleared, not that clearing them needs a right of its own. A folder's bit is left alone,
# so a folder with it is given away.
#
# Needs root. Output seen, 2026-11-29:
#   plain file: given; set-user-ID: refused; set-group-ID: refused; folder with set-group-ID: given
set -eu
[ "$(id -u)" -eq 0 ] || { echo "needs root" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
touch plain set_user set_group
mkdir shared
chown 1000:1000 plain set_user set_group shared
chmod 0755 plain
chmod 4755 set_user
chmod 2755 set_group
chmod 2770 shared
chmod 0755 "$folder"

give() {
    if setpriv --bounding-set -all,+chown --inh-caps -all chown 1001:1001 "$1" 2>/dev/null; then
        echo given
    else
        echo refused
    fi
}

seen="plain file: $(give plain); set-user-ID: $(give set_user); set-group-ID: $(give set_group); folder with set-group-ID: $(give shared)"
echo "$seen"
expected="plain file: given; set-user-ID: refused; set-group-ID: refused; folder with set-group-ID: given"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
