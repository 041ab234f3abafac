"""What the caller asked for cannot be done as it was asked."""

from farm.errors.base import FarmError


class InvalidRequest(FarmError):
    """The request is not valid: {reason}."""

    code = "invalid_request"
    hint = "Correct the named field and send the request again."


class HostNotServed(InvalidRequest):
    """This service does not answer to the host name {host!r}."""

    code = "host_not_served"
    hint = "Ask under a name that stands in FARM_HTTP_HOSTS, or have the operator add this one."


class BackupBroken(InvalidRequest):
    """The backup {path} cannot be used: {reason}."""

    code = "backup_broken"
    hint = "Take an older backup; nothing was changed."


class FetchRefused(InvalidRequest):
    """{address} may not be fetched: {reason}."""

    code = "fetch_refused"
    hint = "Use a public https address, or ask the operator to add the host to FARM_FETCH_HOSTS."


class SharePage(FetchRefused):
    """{address} is no file: {reason}."""

    code = "share_page"
    hint = "Give an address behind which the file itself lies, as a browser's private window would download it."


class WebhookRefused(InvalidRequest):
    """Nothing may be sent to {address}: {reason}."""

    code = "webhook_refused"
    hint = "Use a public https address, or ask the operator to add the host to FARM_WEBHOOK_HTTP_HOSTS."


class ManifestBroken(InvalidRequest):
    """The manifest {address} cannot be read: {reason}."""

    code = "manifest_broken"
    hint = (
        "Give it as Parquet, CSV with a header, or JSON; gzip is fine for text. docs/catalogues.md says how it is read."
    )


class LowResolution(InvalidRequest):
    """The print would have {dpi:.0f} DPI, under the floor of {floor_dpi:.0f} DPI."""

    code = "low_resolution"
    hint = "Send a larger design, or print it smaller."


class PrintOffCloth(InvalidRequest):
    """Nothing of the print would show: {reason}."""

    code = "print_off_cloth"
    hint = "Move the print onto the panel: its centre is x_cm and y_cm, in cm from the middle of the collar seam."


class IdempotencyMismatch(InvalidRequest):
    """This Idempotency-Key came with another request before."""

    code = "idempotency_mismatch"
    hint = "Use a new key for a new request; the same key only to repeat the very same one."


class BodyTooLarge(InvalidRequest):
    """The request has more than the {limit_bytes} bytes allowed."""

    code = "body_too_large"
    hint = "Send less; big designs go straight to the object store by POST /v1/uploads."


class InvalidSettings(FarmError):
    """{variable}={value!r} is not usable: {reason}."""

    code = "invalid_settings"
    hint = "Correct the variable in the environment or in farm.toml."
