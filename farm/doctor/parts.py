"""What the settings point at: home, store, storage, templates, drills."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path

from farm.adapters.storage import store_of
from farm.doctor.check import GIB, Check, gib
from farm.domain import keys
from farm.domain.template import every, find
from farm.errors import StoreUnavailable
from farm.home.folder import Home
from farm.saga.failpoint import parse_failpoints
from farm.settings import Settings

DISK_LEAST_BYTES = 1 * GIB
ANSWER_S = 5.0


def check_home(settings: Settings) -> Check:
    """That the data folder exists, or could be made, and can be written by this user."""
    there = _nearest(settings.home)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        detail = f"{settings.home}: {there} is no folder that this user may write"
        return Check(name="home", ok=False, detail=detail, hint="Set FARM_HOME to a folder of yours.")
    host = Home(settings.home).host()
    state = f"a farm is up (version {host.version}, {host.phase})" if host else "no farm is up"
    return Check(name="home", ok=True, detail=f"{settings.home}; {state}")


def check_disk(settings: Settings) -> Check:
    """Room for designs, pictures and the journal."""
    free = shutil.disk_usage(_nearest(settings.home)).free
    ok = free >= DISK_LEAST_BYTES
    hint = "" if ok else "Free some space, or set FARM_HOME to another disk."
    return Check(name="disk", ok=ok, detail=f"{gib(free)} free for {settings.home}", hint=hint)


def check_store(settings: Settings) -> Check:
    """The journal's store: it answers, and keeps what it acknowledges."""
    if settings.redis_url:
        return ping_store(settings.redis_url, what="FARM_REDIS_URL")
    host = Home(settings.home).host()
    if host is not None and host.store_url:
        return ping_store(host.store_url, what="embedded, up")
    return start_embedded_store()


def ping_store(url: str, *, what: str) -> Check:
    """Ask a Redis-protocol server who it is and how it keeps its data, and write to it."""
    # Here, so that `farm --help` need not wait for it.
    from farm.adapters.redis_blocking import open_blocking, standing_of
    from farm.adapters.redis_errors import translated
    from farm.adapters.store_keys import KEYS

    with open_blocking(url, timeout_s=ANSWER_S) as client:
        try:
            with translated():
                standing = standing_of(client)
        except StoreUnavailable as error:
            # The error of a refused connection names host and port, never the password.
            raise StoreUnavailable(reason=f"{what}: {error.reason}") from error
        trouble: StoreUnavailable | None = standing.trouble
        if trouble is None and not (standing.replica or standing.clustered):
            try:
                with translated():
                    client.set(KEYS.of("probe"), 1, px=60_000)
                    client.delete(KEYS.of("probe"))
            except StoreUnavailable as error:
                trouble = error
    if standing.clustered:
        hint = "The journal wants one primary with replicas, not a Redis Cluster."
        return Check(name="store", ok=False, detail=f"{what}: {standing.name} in cluster mode", hint=hint)
    if standing.replica:
        hint = "Point FARM_REDIS_URL at the primary, or at its Sentinels: redis+sentinel://host,host/service."
        return Check(name="store", ok=False, detail=f"{what}: {standing.name} is a replica", hint=hint)
    if trouble is not None:
        return Check(name="store", ok=False, detail=f"{what}: {trouble}", hint=trouble.hint)
    on_disk = "append-only file on" if standing.keeps else "every write is confirmed to be on disk"
    return Check(name="store", ok=True, detail=f"{what}: {standing.name}, {on_disk}")


def start_embedded_store() -> Check:
    """Start the server that an embedded farm would start, in a folder of its own, ask it, and end it."""
    from farm.adapters.embedded_store import EmbeddedStore

    with tempfile.TemporaryDirectory(prefix="farm-doctor-") as folder:
        store = EmbeddedStore.start(Path(folder))
        try:
            check = ping_store(store.url, what="embedded, starts when it is needed")
        finally:
            store.stop()
    return check


def check_storage(settings: Settings) -> Check:
    """Write, read and remove a small object."""
    url = settings.effective_storage_url
    if not settings.storage_url and not settings.home.exists():
        return Check(name="storage", ok=True, detail=f"{url}, made when it is needed")
    store = store_of(settings)
    # An upload that no job takes is swept after a day, should the removal fail.
    key = keys.uploads("doctor", secrets.token_hex(8)) + "probe"
    try:
        sha256 = store.put(key, b"farm doctor", content_type="text/plain")
        store.get(key, sha256=sha256)
    finally:
        store.delete([key])
    return Check(name="storage", ok=True, detail=f"{url}: an object was written, read and removed")


def check_templates(settings: Settings) -> Check:
    """Every garment is whole."""
    folders = settings.template_folders
    found = [find(folders, folder.name) for folder in every(folders)]
    if not found:
        hint = "Check FARM_TEMPLATES; what the farm comes with stands in templates/."
        return Check(name="templates", ok=False, detail=f"there is no garment in {folders[0]}", hint=hint)
    for template in found:
        template.verify()
    names = ", ".join(f"{template.id} {template.version}" for template in found)
    return Check(name="templates", ok=True, detail=f"{names}: every file is as it was built")


def check_failpoints(settings: Settings) -> Check:
    """A drill that somebody forgot to end looks like bad luck."""
    points = parse_failpoints(settings.failpoints)
    if not points:
        return Check(name="failpoints", ok=True, detail="none set")
    listed = "; ".join(f"{point.point}={point.action}*{point.times}" for point in points.values())
    detail = f"A DRILL IS ON, jobs will fail on purpose: {listed}"
    return Check(name="failpoints", ok=False, detail=detail, hint="unset FARM_FAILPOINTS", fatal=False)


def _nearest(path: Path) -> Path:
    """The folder itself, or the one above it in which it would be made."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
