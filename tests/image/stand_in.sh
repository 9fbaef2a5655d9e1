#!/bin/sh
# Make a stand-in for python:3.12-slim where there is no registry of images: Debian's packages, a CPython 3.12 of pyenv.
# stand_in.sh FOLDER: the folder is for its files. Needs root, mmdebstrap and docker.
set -eu
folder=$1
root=$folder/root
python=$(ls -d "$(pyenv root)"/versions/3.12.* | tail -1)
needs=libbz2-1.0,libexpat1,libffi8,liblzma5,libncursesw6,libreadline8t64,libsqlite3-0,libssl3t64,libuuid1,zlib1g

mkdir -p "$folder"
[ -f "$folder/debian.tar" ] ||
    mmdebstrap --variant=minbase --include="ca-certificates,netbase,tzdata,$needs" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' trixie "$folder/debian.tar"
rm -rf "$root"
mkdir "$root"
tar -C "$root" -xf "$folder/debian.tar"

# The image of Python has these sources in the newer form.
mirror=$(sed -n 's/^deb \([^ ]*\) trixie main$/\1/p' "$root/etc/apt/sources.list")
rm "$root/etc/apt/sources.list"
cat >"$root/etc/apt/sources.list.d/debian.sources" <<EOF
Types: deb
URIs: $mirror
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
EOF

tar -C "$python" --exclude='*/test' --exclude='*/__pycache__' --exclude='*.a' --exclude=share \
    --exclude='lib/python3.12/site-packages/*' -cf - bin lib include | tar -C "$root/usr/local" -xf -
rm -f "$root"/usr/local/bin/pip*
ln -sf python3.12 "$root/usr/local/bin/python"
ln -sf python3.12 "$root/usr/local/bin/python3"
chroot "$root" /sbin/ldconfig
chroot "$root" /usr/local/bin/python3.12 -m ensurepip --upgrade >/dev/null 2>&1

# Debian's lists may be old where they come from a copy of it.
echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/stand-in"

# The certificates of this machine are for the stand-in alone.
cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
chroot "$root" update-ca-certificates >/dev/null 2>&1
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"

tar -C "$root" -c . | docker import \
    -c 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'ENV LANG=C.UTF-8' -c 'CMD ["python3"]' \
    - python:3.12-slim
rm -rf "$root"
