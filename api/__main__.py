"""``python -m api``: serve HTTP."""

import argparse
import gc
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from api.http.connections import ConnectionLimits, guarded
from api.http.opening import KeysMissing, address_of_socket, settle
from api.http.stopping import PatientServer
from migrations.schema import SchemaUnfit, check_at_start
from ml.errors import TorchMismatch
from ml.late import Late
from ml.versions import check_versions
from store.collector import read_headers
from store.errors import SettingsInvalid
from store.logs import log_to_stderr
from store.settings import load_settings

if TYPE_CHECKING:
    from api.dependencies import Services

_CREATE_APP: Late[Callable[..., FastAPI]] = Late("api.app", "create_app")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; 1 when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fd", type=int, help="descriptor of a socket that listens already, instead of host and port")
    parser.add_argument("--ready-fd", type=int, help="descriptor that is written to once requests are taken")
    options = parser.parse_args(arguments)
    log_to_stderr()
    try:
        settings = load_settings()
        read_headers(settings.otlp_headers)
        check_at_start(settings.database_url)
        check_versions()
        openness = settle(settings, options.host if options.fd is None else address_of_socket(options.fd))
        # torch comes in with the app: a pair that does not fit can be named only before that.
        app = _CREATE_APP.get()(settings, openness=openness)
    except (SettingsInvalid, TorchMismatch, KeysMissing, SchemaUnfit) as error:
        sys.stderr.write(f"{error.code}: {error.detail}. {error.hint or ''}\n")
        return 1
    services: Services = app.state.services
    # What is there now stays. Left in the garbage collector's way it would hold up every request for a quarter of a
    # second, each time that one makes many objects.
    gc.freeze()
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        loop="uvloop",
        http=guarded(
            ConnectionLimits(settings.max_connections, settings.request_seconds, settings.max_address_connections),
            services.stopping,
        ),
        workers=1,  # said, or uvicorn would take WEB_CONCURRENCY, which an app that is no import string forbids
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = PatientServer(config, services.stopping, lambda: services.predictor.follow("production"), options.ready_fd)
    return serve(server, options.fd)


def serve(server: uvicorn.Server, fd: int | None) -> int:
    """Serve on the socket of that number, or where the server's own configuration says; 1 when it did not start."""
    # by its number alone: uvicorn's own option would take it for a UNIX socket and leave Nagle's algorithm on
    sockets = None if fd is None else [socket.socket(fileno=fd)]
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
