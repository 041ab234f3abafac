"""A service that the farm needs failed: store, object store, shop, cluster, network."""

from typing import Any

from farm.errors.base import FarmError


class InfrastructureError(FarmError):
    """A service the farm needs failed: {reason}."""

    code = "infrastructure_error"
    retryable = True
    hint = "The farm tries again by itself; check the named service."


class StoreUnavailable(InfrastructureError):
    """The journal's store does not answer: {reason}."""

    code = "store_unavailable"
    hint = "Check FARM_REDIS_URL and that the server is up; no job is lost meanwhile."


class StoreNotWritable(StoreUnavailable):
    """The journal's store takes no writes now: {reason}."""

    code = "store_not_writable"
    hint = "After a failover this passes by itself; else look at the server's role, replicas, memory, disk and ACL."


class StoreUnfit(StoreUnavailable):
    """The journal's store cannot be trusted with a job: {reason}."""

    code = "store_unfit"
    hint = "Run `farm doctor`."


class StoreNotDurable(StoreUnfit):
    """The journal's store keeps nothing on disk: {reason}."""

    code = "store_not_durable"
    hint = "Set appendonly yes on the server that FARM_REDIS_URL reaches, on its replicas too, or name another server."


class StoreTooOld(StoreUnfit):
    """The journal's store cannot say when a write is on disk: {reason}."""

    code = "store_too_old"
    hint = "Use Redis 7.2 or newer, or Valkey, and allow WAITAOF; or set appendfsync always and allow CONFIG GET."


class StoreEvicts(StoreUnfit):
    """The journal's store may throw away what it was given: {reason}."""

    code = "store_evicts"
    hint = "Set maxmemory-policy noeviction on the server, and on its replicas."


class StorageUnavailable(InfrastructureError):
    """The object store does not answer: {reason}."""

    code = "storage_unavailable"
    hint = "Check FARM_STORAGE_URL and the service behind it."


class StorageForbidden(InfrastructureError):
    """The object store refused access to {key}: {reason}."""

    code = "storage_forbidden"
    retryable = False
    hint = "Check the credentials and the bucket's policy: the farm needs get, put, list and delete."


class ObjectMissing(InfrastructureError):
    """The object {key} is not there."""

    code = "object_missing"


class ObjectAltered(InfrastructureError):
    """The object {key} is not what was written: {reason}."""

    code = "object_altered"


class ShopUnavailable(InfrastructureError):
    """The shop does not answer: {reason}."""

    code = "shop_unavailable"
    hint = "Check FARM_SHOP_URL and the shop."


class ShopRefused(InfrastructureError):
    """The shop refused the change of product {product_id}: {reason}."""

    code = "shop_refused"
    retryable = False
    hint = "Correct the product in the shop, then retry the job."


class ShopForbidden(ShopRefused):
    """The shop does not accept the farm: {reason}."""

    code = "shop_forbidden"
    hint = "Set FARM_SHOP_API_KEY to a valid secret API key of the shop."


class FetchFailed(InfrastructureError):
    """Fetching {address} failed: {reason}."""

    code = "fetch_failed"
    hint = "Check the address and the server behind it, then retry the job or the run: it is fetched again."


class WebhookFailed(InfrastructureError):
    """{address} did not take the delivery: {reason}."""

    code = "webhook_failed"
    hint = "Check the receiver; the farm tries again for more than a day, and `farm webhooks replay` at any time."


class ClusterUnavailable(InfrastructureError):
    """Ray is not usable: {reason}."""

    code = "cluster_unavailable"
    hint = "Run `farm doctor`."


class VersionMismatch(ClusterUnavailable):
    """A node runs version {found} of the farm, and the farm is at {wanted}."""

    code = "version_mismatch"
    retryable = False
    hint = "Install one version of the farm on every node, then retry the job."


class FarmStarting(InfrastructureError):
    """The service is not there yet, or not there again: {reason}."""

    code = "farm_starting"
    hint = "Send it again after Retry-After seconds, with the same id or Idempotency-Key; accepted jobs go on."


class MissingLibrary(InfrastructureError):
    """Blender cannot start: {reason}."""

    code = "missing_library"
    retryable = False
    hint = "Run `farm doctor`: it names the packages to install."


def describe(error: BaseException) -> dict[str, Any]:
    """Any exception as the ``error`` member of a job: a `FarmError` speaks for itself, others are infrastructure."""
    if isinstance(error, FarmError):
        return error.to_dict()
    reason = f"{type(error).__name__}: {error}"
    return InfrastructureError(reason=reason[:500]).to_dict()
