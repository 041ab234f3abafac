"""Every setting of the farm: read once, from the environment, then ``farm.toml`` in ``FARM_HOME``, then defaults.

The variable of a field is ``FARM_`` and the field's name in capitals, unless its metadata names another. Units are in
the names. ``farm config`` prints the table; docs/settings.md is made from it.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from farm.errors import InvalidSettings


def _setting(
    default: Any,
    about: str,
    *,
    variable: str | None = None,
    least: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    return field(
        default=default,
        repr=not secret,
        metadata={"about": about, "variable": variable, "least": least, "choices": choices, "secret": secret},
    )


def _default_home() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return Path(base) / "tshirt-farm"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillProfile:
    """What a drill sets, and a farm that works never: read from the same places, and shown apart from the settings."""

    failpoints: str = _setting("", "what shall fail: <point>=<raise|kill|hang>[*times];…")
    null_effects: bool = _setting(False, "steps do nothing (benchmarks and soaks of the journal)")


def _received(kind: type["Settings"], values: Mapping[str, Any]) -> "Settings":
    known = {setting.name for setting in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(DrillProfile):
    """The farm's settings, and the drill's that it is to run, if any; made by `load`, never changed."""

    home: Path = _setting(Path(), "data folder of the embedded farm")
    redis_url: str = _setting("", "Redis that holds the journal; empty: the embedded store", secret=True)
    storage_url: str = _setting("", "object store, file:///… or s3://bucket/prefix; empty: a folder in FARM_HOME")
    s3_endpoint_url: str = _setting("", "endpoint of an S3-alike; empty: AWS")
    s3_public_endpoint_url: str = _setting(
        "",
        "that endpoint as browsers reach it, for which their links are signed; empty: s3_endpoint_url",
    )
    public_url: str = _setting("", "public base address of outputs (bucket or CDN)")
    shop_url: str = _setting("", "address of a Medusa v2 shop; empty: the built-in catalogue")
    shop_api_key: str = _setting("", "secret API key of the shop", secret=True)
    shop_http_hosts: str = _setting("", "shops that may be spoken to without https: host names, with commas")
    ray_address: str = _setting("", "a Ray cluster to join; empty: a local one", variable="RAY_ADDRESS")
    templates: Path = _setting(
        Path(), "folder of garment templates in place of those that come with the farm; added ones lie in FARM_HOME"
    )

    shards: int = _setting(1, "job-coordinator actors", least=1)
    lease_s: float = _setting(10.0, "a coordinator's lease on a job; renewed at a third of it", least=1)
    concurrent_jobs: int = _setting(0, "jobs running at once; 0: twice the render slots, at least 2", least=0)
    render_slots: int = _setting(0, "renders at once on a node without GPU; 0: one per two cores, at least 1", least=0)
    render_threads: int = _setting(0, "CPU threads of a render; 0: the node's cores divided by its slots", least=0)
    render_device: str = _setting(
        "auto", "where Cycles renders", choices=("auto", "cpu", "cuda", "optix", "hip", "oneapi")
    )
    render_gpus: float = _setting(0.0, "GPUs a view asks Ray for; 0: one where the cluster has GPUs", least=0)
    render_memory_bytes: int = _setting(2_000_000_000, "memory a view asks Ray for", least=100_000_000)
    recycle_renders: int = _setting(200, "renders after which a warm Blender is replaced", least=1)
    recycle_memory_bytes: int = _setting(
        6_000_000_000, "memory past which a warm Blender is replaced", least=500_000_000
    )

    view_timeout_s: float = _setting(300.0, "one view, hard limit", least=1)
    view_stall_s: float = _setting(60.0, "one view without progress", least=1)
    bake_timeout_s: float = _setting(3600.0, "the bake of one view, hard limit", least=1)
    bake_unasked_px: int = _setting(
        0, "size at which a garment that is not baked yet is baked behind its first jobs; 0: only when asked", least=0
    )
    bake_samples: int = _setting(64, "paths per pixel of a bake's renders", least=1)
    relight_max_delta_e: float = _setting(
        1.6, "mean ΔE00 inside the print, by a bake's own test, up to which engine=auto relights", least=0
    )
    view_attempts: int = _setting(3, "attempts per view", least=1)
    job_failures: int = _setting(
        12, "failed attempts at a job's views, film frames and model, all together, past which the job stops", least=1
    )
    node_failures: int = _setting(3, "failures within the hour or so after which a node is left alone", least=1)
    step_timeout_s: float = _setting(300.0, "a step other than rendering", least=0.1)
    render_timeout_s: float = _setting(3600.0, "the whole render step", least=1)
    step_attempts: int = _setting(3, "attempts per step", least=1)
    compensation_attempts: int = _setting(6, "attempts to undo a step before the job waits for a person", least=1)
    backoff_base_s: float = _setting(0.5, "first wait before a retry; doubles, with full jitter", least=0)
    backoff_max_s: float = _setting(30.0, "longest wait before a retry", least=0)
    job_deadline_s: float = _setting(86_400.0, "a job ends within this, whatever happens", least=1)

    template_max_bytes: int = _setting(200_000_000, "largest .blend that becomes a template", least=1)
    template_deadline_s: float = _setting(600.0, "checking a .blend and making a template of it", least=1)
    design_max_bytes: int = _setting(10_000_000, "largest design file", least=1)
    design_max_pixels: int = _setting(80_000_000, "largest design", least=1)
    decode_deadline_s: float = _setting(20.0, "decoding one design", least=0.1)
    dpi_floor: float = _setting(0.0, "prints under this are refused; 0: only warned about under 150", least=0)
    cache_days: float = _setting(
        7.0, "days a finished picture is kept to be used again for equal work; 0: none", least=0
    )
    design_days: float = _setting(
        30.0, "days a design is kept by its content after it was last sent; 0: until it is deleted", least=0
    )
    retry_days: float = _setting(7.0, "days a failed job keeps its design for a retry", least=0)
    output_days: float = _setting(
        0.0, "days a completed job keeps design and pictures that no product shows; 0: as long as its record", least=0
    )
    record_days: float = _setting(
        0.0, "days an ended job that keeps no pictures (any more) is remembered; 0: for ever", least=0
    )
    log_format: str = _setting(
        "text", "the farm's log: lines for people, or a JSON object in each", choices=("text", "json")
    )
    log_days: float = _setting(
        14.0, "days the host keeps the logs of former Ray sessions, of the last three at most", least=0
    )
    pictures_key: str = _setting(
        "", "key that `farm pictures url` signs with; empty: the farm is asked for the tenant's", secret=True
    )
    pictures_per_minute: int = _setting(
        1200, "pictures that one key's signed addresses may have made; those at hand are not counted", least=1
    )
    pictures_memory_bytes: int = _setting(
        320_000_000, "memory in which a process keeps light, designs, prints and finished pictures", least=10_000_000
    )
    requests_per_minute: int = _setting(1200, "requests one API key may make", least=1)
    queue_max: int = _setting(10_000, "jobs that have not ended, of all tenants; past it new ones get a 503", least=1)
    tenant_queue_max: int = _setting(5_000, "jobs that have not ended, of one tenant; past it a 429", least=1)
    body_max_bytes: int = _setting(32_000_000, "largest body of an API request", least=1_000)
    decoders: int = _setting(0, "designs decoded at once in an API replica; 0: one per core", least=0)
    http_hosts: str = _setting("", "host names the web service answers to, with commas; empty: loopback and its own")
    session_hours: float = _setting(12.0, "hours a browser stays logged in", least=0.1)

    film_frames: int = _setting(36, "frames of the turntable", least=2)
    film_fps: int = _setting(12, "frames per second of the turntable", least=1)

    catalog_batch_rows: int = _setting(100, "rows of a catalogue run that share a batch", least=1)
    catalog_window: int = _setting(0, "rows of a run under way at once; 0: two batches, or more on a cluster", least=0)
    catalog_writes_per_s: float = _setting(0.0, "products a run changes in the shop per second; 0: no bound", least=0)
    fetch_hosts: str = _setting(
        "", "hosts that designs and manifests may come from though private or without https: names, with commas"
    )
    webhook_http_hosts: str = _setting(
        "", "hosts that webhooks may go to though private or without https: names, with commas"
    )
    webhook_timeout_s: float = _setting(15.0, "one attempt to deliver a webhook, to the answer", least=0.1)
    webhook_log_days: float = _setting(14.0, "days that ended deliveries stay in the log for a replay", least=0)
    webhook_log_max: int = _setting(10_000, "deliveries kept for one endpoint, and the most that may wait", least=1)
    fetch_timeout_s: float = _setting(30.0, "fetching one design", least=0.1)
    manifest_max_bytes: int = _setting(
        4_000_000_000, "largest manifest that is fetched, and that text is unpacked to", least=1
    )
    price_cpu_hour: float = _setting(0.04, "price of one CPU core for an hour, in FARM_CURRENCY", least=0)
    price_gpu_hour: float = _setting(0.50, "price of one GPU for an hour, in FARM_CURRENCY", least=0)
    currency: str = _setting("USD", "the currency of these prices, as costs shall name it")

    metrics_port: int = _setting(0, "port of this machine's metrics for Prometheus; 0: any free one", least=0)

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to other processes by names: one of another version, restarted or not yet, takes what it knows."""
        return _received, (type(self), {setting.name: getattr(self, setting.name) for setting in fields(self)})

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The settings of this process.

        Raises:
            InvalidSettings: naming the variable, its value and what is wrong with it.
        """
        environ = os.environ if environ is None else environ
        home = Path(environ.get("FARM_HOME") or _default_home()).expanduser().absolute()
        from_file = _read_toml(home / "farm.toml")
        values: dict[str, Any] = {}
        for setting in fields(cls):
            variable = variable_of(setting)
            if setting.name == "home":
                values["home"] = home
            elif environ.get(variable, "") != "":
                values[setting.name] = _convert(setting, variable, environ[variable])
            elif setting.name in from_file:
                values[setting.name] = _convert(setting, f"farm.toml: {setting.name}", str(from_file[setting.name]))
        unknown = set(from_file) - {setting.name for setting in fields(cls)}
        if unknown:
            name = min(unknown)
            raise InvalidSettings(
                variable=f"farm.toml: {name}", value=from_file[name], reason="there is no such setting"
            )
        _check_store_address(str(values.get("redis_url", "")))
        return cls(**values)

    @property
    def templates_folder(self) -> Path:
        """Where the garment templates lie."""
        return self.templates if self.templates != Path() else Path(__file__).parent.parent / "templates"

    @property
    def added_templates(self) -> Path:
        """Where `farm template add` puts what it accepted."""
        return self.home / "templates"

    @property
    def template_folders(self) -> tuple[Path, ...]:
        """All folders in which a garment template may lie."""
        return (self.templates_folder, self.added_templates)

    @property
    def effective_storage_url(self) -> str:
        """The object store's address with the embedded default resolved."""
        return self.storage_url or (self.home / "objects").as_uri()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, secrets hidden: for display, not for `load`."""
        shown: dict[str, Any] = {}
        for setting in fields(self):
            value = getattr(self, setting.name)
            shown[setting.name] = "(set)" if setting.metadata["secret"] and value else (
                str(value) if isinstance(value, Path) else value
            )  # fmt: skip
        return shown


def users_settings() -> tuple[Field[Any], ...]:
    """The fields of `Settings` but those of the `DrillProfile`, in the order of their definition."""
    drills = {setting.name for setting in fields(DrillProfile)}
    return tuple(setting for setting in fields(Settings) if setting.name not in drills)


def variable_of(setting: Field[Any]) -> str:
    """The environment variable of a field of `Settings`."""
    return str(setting.metadata["variable"] or f"FARM_{setting.name.upper()}")


def _check_store_address(url: str) -> None:
    """Refuse what is no address of a Redis before anything is started for it; the value may hold a password."""
    try:
        sound = not url or _names_a_store(url)
    except ValueError:
        sound = False
    if not sound:
        reason = (
            "it must be redis://[user:password@]host[:port][/database], rediss://…, unix:///path "
            "or redis+sentinel://host[:port][,host[:port]…]/service"
        )
        raise InvalidSettings(variable="FARM_REDIS_URL", value="(hidden)", reason=reason)


def _names_a_store(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme in ("redis+sentinel", "rediss+sentinel"):
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
        named = all(host.hostname and (host.port is None or host.port > 0) for host in hosts)
        return named and parts.path.strip("/") != ""
    return parts.scheme in ("redis", "rediss", "unix") and (parts.port is None or parts.port > 0)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidSettings(variable="farm.toml", value=str(path), reason=str(error)) from error


def _convert(setting: Field[Any], variable: str, text: str) -> Any:
    kind: Any = setting.type
    meta = setting.metadata
    try:
        value: Any
        if kind is bool:
            value = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
        elif kind is Path:
            value = Path(text).expanduser().absolute()
        else:
            value = kind(text)
    except (ValueError, KeyError):
        names = {bool: "yes or no", int: "a whole number", float: "a number"}
        raise InvalidSettings(variable=variable, value=text, reason=f"it must be {names.get(kind, 'text')}") from None
    if meta["least"] is not None and not value >= meta["least"]:
        raise InvalidSettings(variable=variable, value=text, reason=f"it must be at least {meta['least']:g}")
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise InvalidSettings(variable=variable, value=text, reason="it must be finite")
    if meta["choices"] and value not in meta["choices"]:
        raise InvalidSettings(variable=variable, value=text, reason=f"it must be one of {', '.join(meta['choices'])}")
    return value
