"""Files of the service on their way to this machine: each has its name only when it is whole and the right one."""

from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from cli.client import Client
from cli.errors import CommandError
from cli.transfer import Transfer

CHUNK = 1024 * 1024


def fetch_checked(client: Client, url: str, into: Path) -> tuple[str, int]:
    """Fetch to a hidden name, compare with the hash that was said, and only then take the place of what is there.

    Raises:
        CommandError: it is not what the service said.
        OSError: it cannot be written.
    """
    scratch = into.with_name(f".{into.name}.{uuid4().hex}")
    digest, done = sha256(), 0
    try:
        with Transfer("receiving") as show, scratch.open("xb") as file, client.stream(url) as answer:
            said = answer.headers.get("ETag", "").strip('"')
            for part in answer.iter_bytes(CHUNK):
                digest.update(part)
                file.write(part)
                done += len(part)
                show(done, int(answer.headers.get("Content-Length", 0)))
        if digest.hexdigest() != said:
            what = f"What came has sha256 {digest.hexdigest()}, the service says {said or 'nothing'}."
            raise CommandError(what, "Try again; where that does not help, the service's copy is damaged.")
        scratch.replace(into)
    finally:
        scratch.unlink(missing_ok=True)
    return digest.hexdigest(), done
