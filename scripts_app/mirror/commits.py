"""Versions as commits, in the form that `git fast-import` reads: one each, with its author, moment and note."""

from collections.abc import Iterator

from scripts_app.exchange.items import CODE, REQUIREMENTS, SCRIPTS
from scripts_app.models import Version

BRANCH = "refs/heads/main"
TRAILER = "Tempo-Version"
NOBODY = "Tempo"
ADDRESS = "tempo@localhost"  # of a person nothing but the name is told


def stream(versions: list[Version], *, is_first: bool) -> Iterator[bytes]:
    """Yield the commits of versions, on top of what the branch has unless `is_first`."""
    for number, version in enumerate(versions):
        yield from _commit(version)
        if number == 0 and not is_first:
            yield f"from {BRANCH}^0\n".encode()
        yield from _files(version)
        yield b"\n"


def _commit(version: Version) -> Iterator[bytes]:
    moment = f"{int(version.created_at.timestamp())} +0000"
    yield f"commit {BRANCH}\n".encode()
    yield f"author {_name(version.saved_by)} <{ADDRESS}> {moment}\n".encode()
    yield f"committer {NOBODY} <{ADDRESS}> {moment}\n".encode()
    slug = version.script.slug
    title = version.note or f"Save {version} of {slug}"
    yield from _data(f"{title}\n\nScript: {slug} {version}\n{TRAILER}: {version.pk}\n")


def _files(version: Version) -> Iterator[bytes]:
    # By the slug alone, which is never another script's: folders are renamed, and histories go on.
    place = f"{SCRIPTS}/{version.script.slug}"
    yield f"M 100644 inline {place}/{CODE}\n".encode()
    yield from _data(version.code)
    if version.requirements:
        yield f"M 100644 inline {place}/{REQUIREMENTS}\n".encode()
        yield from _data(version.requirements)
    else:
        yield f"D {place}/{REQUIREMENTS}\n".encode()


def _data(text: str) -> Iterator[bytes]:
    data = text.encode()
    yield f"data {len(data)}\n".encode()
    yield data
    yield b"\n"


def _name(name: str) -> str:
    plain = "".join(each for each in name if each.isprintable() and each not in "<>")
    return plain.strip() or NOBODY
