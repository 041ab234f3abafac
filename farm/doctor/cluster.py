"""What the doctor sees on a cluster: each node, asked on the spot."""

from farm.doctor.check import Check
from farm.errors import FarmError
from farm.home.folder import Home
from farm.home.token import know_token
from farm.settings import Settings

_HINT = "Bring the node to what the others have (`ray up cluster.yaml`), or end it."


def check_cluster(settings: Settings) -> list[Check]:
    """A check for each node of the farm's cluster, or one that says why there is none."""
    home = Home(settings.home)
    host = home.host()
    address = settings.ray_address or (host.ray_address if host is not None else "")
    store_url = settings.redis_url or (host.store_url if host is not None else "")
    if not address or not store_url:
        hint = "Start the farm (`farm up`), or name the cluster in RAY_ADDRESS and the journal in FARM_REDIS_URL."
        return [Check(name="cluster", ok=False, detail="there is no cluster to look at", hint=hint)]
    know_token(home, own=not settings.ray_address)
    from farm.actors.inspection import look_at_cluster

    try:
        found = look_at_cluster(settings, address, store_url)
    except FarmError as error:
        return [Check(name="cluster", ok=False, detail=error.message, hint=error.hint)]
    checks = []
    for one in found:
        name = f"node {one.node_id[:8]}"
        if one.troubles:
            checks.append(Check(name=name, ok=False, detail=f"{one.host}: {'; '.join(one.troubles)}", hint=_HINT))
        elif one.report is not None:
            garments = len(one.report.garments)
            detail = f"{one.host}: farm {one.report.version}, {garments} garments, journal and storage within reach"
            checks.append(Check(name=name, ok=True, detail=detail))
    return checks
