"""Settings: environment variables, read once, validated, shown without their secrets."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from store.collector import is_address
from store.errors import SettingsInvalid
from store.oidc_settings import OidcSettings
from store.webhooks import origins_of

MIB = 1024 * 1024

_ORIGIN = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]*[A-Za-z0-9_~-])+")


class Settings(OidcSettings):
    """Everything that can be set from outside. Sizes in bytes, times in seconds; what is set but empty is not set."""

    database_url: str = Field(alias="DATABASE_URL", description="postgresql://…")
    redis_url: str = Field(alias="REDIS_URL", description="redis://… or redis+socket:///path")
    artifacts_url: str = Field(alias="ARTIFACTS_URL", description="file:///folder or s3://bucket/prefix")
    cache: Path = Field(
        Path("~/.cache/pedigree"), alias="PEDIGREE_CACHE", description="presized caches, fetched datasets"
    )
    weights: Path | None = Field(None, alias="PEDIGREE_WEIGHTS", description="folder of weight files")
    cache_bytes: int = Field(
        50 * 1024 * MIB,
        alias="PEDIGREE_CACHE_BYTES",
        ge=0,
        description="kept presized caches and fetched datasets; before one is added, the least recently opened go",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", alias="PEDIGREE_DEVICE")

    max_upload_bytes: int = Field(4096 * MIB, alias="PEDIGREE_MAX_UPLOAD_BYTES", ge=MIB)
    max_stored_upload_bytes: int = Field(
        32768 * MIB,
        alias="PEDIGREE_MAX_STORED_UPLOAD_BYTES",
        ge=MIB,
        description="all archives together that wait for their import",
    )
    max_unpacked_bytes: int = Field(
        8192 * MIB, alias="PEDIGREE_MAX_UNPACKED_BYTES", ge=MIB, description="files of one archive, unpacked"
    )
    max_image_bytes: int = Field(32 * MIB, alias="PEDIGREE_MAX_IMAGE_BYTES", ge=1024)
    max_image_pixels: int = Field(51_000_000, alias="PEDIGREE_MAX_IMAGE_PIXELS", ge=1024)
    decode_bytes: int = Field(
        768 * MIB,
        alias="PEDIGREE_DECODE_BYTES",
        ge=256 * MIB,
        description="memory of the process that decodes a picture which may cost much",
    )
    decode_seconds: float = Field(
        6.0, alias="PEDIGREE_DECODE_SECONDS", ge=1, le=600, description="processor time of such a picture, at most"
    )
    max_predict_bytes: int = Field(256 * MIB, alias="PEDIGREE_MAX_PREDICT_BYTES", ge=1024, description="one request")
    max_predict_files: int = Field(64, alias="PEDIGREE_MAX_PREDICT_FILES", ge=1)
    predict_queue: int = Field(256, alias="PEDIGREE_PREDICT_QUEUE", ge=1, description="photos waiting before 429")
    refused_share: float = Field(
        0.05,
        alias="PEDIGREE_REFUSED_SHARE",
        ge=0,
        le=0.5,
        description="known photos that may be taken for unknown by mistake, as a share",
    )
    predict_seconds: float = Field(
        60.0, alias="PEDIGREE_PREDICT_SECONDS", gt=0, description="until an answer of POST /predict; then it is 503"
    )
    max_held_bytes: int = Field(
        512 * MIB, alias="PEDIGREE_MAX_HELD_BYTES", ge=1024, description="bodies of all requests, without uploads"
    )
    max_uploads: int = Field(4, alias="PEDIGREE_MAX_UPLOADS", ge=1, description="archives that arrive at once")
    max_connections: int = Field(512, alias="PEDIGREE_MAX_CONNECTIONS", ge=8)
    max_address_connections: int = Field(
        256,
        alias="PEDIGREE_MAX_ADDRESS_CONNECTIONS",
        ge=1,
        description="connections from one address; this machine's own are not counted",
    )
    max_key_requests: int = Field(
        30_000, alias="PEDIGREE_MAX_KEY_REQUESTS", ge=0, description="requests of one key in a minute; 0: no limit"
    )
    max_address_requests: int = Field(
        30_000,
        alias="PEDIGREE_MAX_ADDRESS_REQUESTS",
        ge=0,
        description="requests of one address in a minute where no key is shown, this machine's own not counted; "
        "0: no limit",
    )
    max_key_jobs: int = Field(
        1000, alias="PEDIGREE_MAX_KEY_JOBS", ge=1, description="jobs of one key that wait or run, a search as one"
    )
    max_key_bytes: int = Field(
        1024 * 1024 * MIB,
        alias="PEDIGREE_MAX_KEY_BYTES",
        ge=MIB,
        description="data sets and uploads of one key together",
    )
    max_streams: int = Field(100, alias="PEDIGREE_MAX_STREAMS", ge=1, description="open event streams")
    request_seconds: float = Field(
        30.0, alias="PEDIGREE_REQUEST_SECONDS", gt=0, description="a head may take, a body be silent, an answer unread"
    )
    predict_batch: int = Field(32, alias="PEDIGREE_PREDICT_BATCH", ge=1, description="images in one forward pass")

    allowed_hosts: str = Field(
        "localhost,127.0.0.1,[::1]",
        alias="PEDIGREE_ALLOWED_HOSTS",
        description="host names that the API answers to, by commas; *.example.org for all below, * for any",
    )

    cors_origins: str = Field(
        "",
        alias="PEDIGREE_CORS_ORIGINS",
        description="other sites whose pages may use the API, by commas, as https://pets.example.org",
    )
    open: Literal["no", "yes"] = Field(
        "no", alias="PEDIGREE_OPEN", description="yes: nobody is asked for a key, from wherever they come"
    )
    root_path: str = Field(
        "", alias="PEDIGREE_ROOT_PATH", description="path below which a proxy has the service, as /pedigree"
    )

    lease_seconds: float = Field(30.0, alias="PEDIGREE_LEASE_SECONDS", gt=0)
    repair_seconds: float = Field(5.0, alias="PEDIGREE_REPAIR_SECONDS", gt=0)
    max_attempts: int = Field(3, alias="PEDIGREE_MAX_ATTEMPTS", ge=1)
    silence_seconds: float = Field(
        900.0, alias="PEDIGREE_SILENCE_SECONDS", gt=0, description="a job's process that reports nothing is ended"
    )
    checkpoint_seconds: float = Field(60.0, alias="PEDIGREE_CHECKPOINT_SECONDS", gt=0)
    checkpoint_days: float = Field(
        30.0,
        alias="PEDIGREE_CHECKPOINT_DAYS",
        ge=1,
        description="checkpoints of a failed or cancelled job are kept so long after its end",
    )
    upload_days: float = Field(
        1.0,
        alias="PEDIGREE_UPLOAD_DAYS",
        ge=1,
        description="uploads that no job waits for any more are kept so long, for a job that failed to be resumed",
    )
    event_days: float = Field(
        90.0,
        alias="PEDIGREE_EVENT_DAYS",
        ge=1,
        description="events of a job are kept so long after its end, but for its changes of state",
    )

    audit_days: float = Field(
        400.0, alias="PEDIGREE_AUDIT_DAYS", ge=1, description="the record of who changed what is kept so long"
    )
    keep_predictions: Literal["no", "answers", "photos"] = Field(
        "no",
        alias="PEDIGREE_KEEP_PREDICTIONS",
        description="what is kept of a prediction; photos only where the request asks",
    )
    keep_days: float = Field(
        90.0, alias="PEDIGREE_KEEP_DAYS", gt=0, description="kept predictions, with their photos, are kept so long"
    )
    keep_bytes: int = Field(
        10 * 1024 * MIB, alias="PEDIGREE_KEEP_BYTES", ge=0, description="kept photos together; the oldest go first"
    )
    keep_rows: int = Field(
        1_000_000, alias="PEDIGREE_KEEP_ROWS", ge=1, description="kept predictions; the oldest go first"
    )

    webhook_hosts: str = Field(
        "",
        alias="PEDIGREE_WEBHOOK_HOSTS",
        description="hosts that webhooks may call, by commas, as hooks.example.org, or http://ci.local:8080; "
        "none: no webhooks",
    )

    otlp_endpoint: str = Field(
        "",
        alias="PEDIGREE_OTLP_ENDPOINT",
        description="an OpenTelemetry collector that gets traces by OTLP over HTTP, as http://collector:4318; "
        "none: nothing is traced",
    )
    otlp_headers: str = Field(
        "",
        alias="PEDIGREE_OTLP_HEADERS_FILE",
        description="a file with headers for it, one a line, as Authorization: Bearer …",
    )
    trace_share: float = Field(
        1.0,
        alias="PEDIGREE_TRACE_SHARE",
        ge=0,
        le=1,
        description="requests that are traced, as a share; one that brings a traceparent is traced as that says",
    )

    @field_validator("cache", "weights")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        wrong = [one for one in split_list(value) if not _ORIGIN.fullmatch(one)]
        if wrong:
            raise _refusal(
                f"{wrong[0][:100]!r} is not an origin", "such as https://pets.example.org, without * and path"
            )
        return value

    @field_validator("webhook_hosts")
    @classmethod
    def _are_hosts(cls, value: str) -> str:
        wrong = [one for one in split_list(value) if not origins_of(one)]
        if wrong:
            raise _refusal(f"{wrong[0][:100]!r} is not a host", "such as hooks.example.org or http://ci.local:8080")
        return value

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_collector(cls, value: str) -> str:
        if value and not is_address(value):
            # Not shown: what is wrong with it may be a token.
            raise _refusal(
                "it is not an address of a collector",
                "such as http://collector:4318; a token for it goes into a file that PEDIGREE_OTLP_HEADERS_FILE names",
            )
        return value

    @field_validator("root_path")
    @classmethod
    def _is_path(cls, value: str) -> str:
        if value.strip("/") and not _ROOT_PATH.fullmatch(value.rstrip("/")):
            raise _refusal(f"{value[:100]!r} is not a path", "such as /pedigree")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: str) -> str:
        if not re.match(r"^(postgres|postgresql)(\+psycopg)?://", value):
            raise _refusal("it is not an address of Postgres", "that begins with postgresql://")
        return re.sub(r"^(postgresql|postgres)(\+psycopg)?://", "postgresql+psycopg://", value)

    @field_validator("artifacts_url")
    @classmethod
    def _is_known_store(cls, value: str) -> str:
        if urlsplit(value).scheme not in {"file", "s3"}:
            raise _refusal("it is not an address of a store", "that begins with file:// or s3://")
        return value.rstrip("/")

    def shown(self) -> dict[str, str]:
        """Every setting by its variable's name, passwords replaced by ``***``."""
        return {
            str(field.alias): _without_secret(str(getattr(self, name)))
            for name, field in type(self).model_fields.items()
        }


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the environment once.

    Raises:
        SettingsInvalid: a variable is missing or has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        fault = wrong_setting(error)
        hint = f"Set {fault.variable}{fault.form}, or start the whole service with `pedigree up`."
        raise SettingsInvalid(f"{fault.variable}: {fault.detail}", hint) from None


@dataclass(frozen=True)
class WrongSetting:
    """A variable that cannot be used, why, and what it should look like, with a space before it; empty if unknown."""

    variable: str
    detail: str
    form: str


def wrong_setting(error: ValidationError) -> WrongSetting:
    """The first of the variables that cannot be used."""
    first = error.errors(include_input=False)[0]
    name = str(first["loc"][0]).upper() if first["loc"] else "a setting"
    form = first.get("ctx", {}).get("form")
    return WrongSetting(name, first["msg"], f" to one {form}" if form else "")


def _refusal(detail: str, form: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{detail}", {"detail": detail, "form": form})


def split_list(value: str) -> list[str]:
    """What a setting lists by commas."""
    return [part.strip() for part in value.split(",") if part.strip()]


def _without_secret(value: str) -> str:
    return re.sub(r"://([^:/@]*):[^@]*@", r"://\1:***@", value)
