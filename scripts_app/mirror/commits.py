"""Versions as commits, in the form that `git fast-import` reads: one each, with its author, moment and note."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from scripts_app.exchange.items import CODE, REQUIREMENTS, SCRIPTS
from scripts_app.models import Version

BRANCH = "refs/heads/main"
TRAILER = "Tempo-Version"
NOBODY = "Tempo"
MAX_NAMED = 5
ADDRESS = "tempo@localhost"  # of a person nothing but the name is told


def stream(versions: list[Version], *, is_first: bool) -> Iterator[bytes]:
    """Yield the commits of versions, on top of what the branch has unless `is_first`."""
    for number, version in enumerate(versions):
        yield from _commit(version)
        if number == 0 and not is_first:
            yield f"from {BRANCH}^0\n".encode()
        yield from _files(version)
        yield b"\n"


def of_settings(changed: Mapping[str, bytes], *, last: int, now: datetime) -> Iterator[bytes]:
    """Yield a commit of settings by their paths, behind the version that was committed `last`."""
    slugs = [path.split("/")[1] for path in changed]
    title = f"Settings of {', '.join(slugs[:MAX_NAMED])}"
    if len(slugs) > MAX_NAMED:
        title += f" and {len(slugs) - MAX_NAMED} more"
    moment = f"{int(now.timestamp())} +0000"
    yield f"commit {BRANCH}\n".encode()
    yield f"committer {NOBODY} <{ADDRESS}> {moment}\n".encode()
    yield from _data(f"{title}\n\n{TRAILER}: {last}\n".encode())
    yield f"from {BRANCH}^0\n".encode()
    for path, text in changed.items():
        yield f"M 100644 inline {path}\n".encode()
        yield from _data(text)
    yield b"\n"


def _commit(version: Version) -> Iterator[bytes]:
    moment = f"{int(version.created_at.timestamp())} +0000"
    yield f"commit {BRANCH}\n".encode()
    yield f"author {_name(version.saved_by)} <{ADDRESS}> {moment}\n".encode()
    yield f"committer {NOBODY} <{ADDRESS}> {moment}\n".encode()
    slug = version.script.slug
    title = version.note or f"Save {version} of {slug}"
    text = f"{title}\n\nScript: {slug} {version}\n{TRAILER}: {version.pk}\n"
    yield from _data(text.encode())


def _files(version: Version) -> Iterator[bytes]:
    # By the slug alone, which is never another script's: folders are renamed, and histories go on.
    place = f"{SCRIPTS}/{version.script.slug}"
    yield f"M 100644 inline {place}/{CODE}\n".encode()
    yield from _data(version.code.encode())
    if version.requirements:
        yield f"M 100644 inline {place}/{REQUIREMENTS}\n".encode()
        yield from _data(version.requirements.encode())
    else:
        yield f"D {place}/{REQUIREMENTS}\n".encode()


def _data(data: bytes) -> Iterator[bytes]:
    yield f"data {len(data)}\n".encode()
    yield data
    yield b"\n"


def _name(name: str) -> str:
    plain = "".join(each for each in name if each.isprintable() and each not in "<>")
    return plain.strip() or NOBODY
