"""``TaskAdmin``: hangs API and dashboard into an app. The one place where the parts of the web are put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from otel_taskflow.errors import (
    TaskflowError,
    TaskNotFoundError,
    TaskNotRegisteredError,
    TaskStateError,
)
from otel_taskflow.telemetry.quiet import QuietApp
from otel_taskflow.version import __version__
from otel_taskflow.web.api import Api
from otel_taskflow.web.backend import AdminBackend
from otel_taskflow.web.credentials import AccessToken, Authenticator, OpenDoor, passwords_from
from otel_taskflow.web.deep_links import DeepLinks
from otel_taskflow.web.document import describe, merge
from otel_taskflow.web.greeting import print_link_at_start
from otel_taskflow.web.guard import Guard, ProbesOnly
from otel_taskflow.web.health import PROBES, Probes
from otel_taskflow.web.options import AdminOptions, check_options, check_parts
from otel_taskflow.web.pages import BuiltFiles, Pages, without_slash
from otel_taskflow.web.policy import Policy
from otel_taskflow.web.responses import Json, refusal
from otel_taskflow.web.routing import mount, refuse_collisions
from otel_taskflow.web.stream import Streams

_STATUS_OF: Sequence[tuple[type[TaskflowError], int]] = (
    (TaskNotFoundError, 404),
    (TaskNotRegisteredError, 409),
    (TaskStateError, 400),
    (TaskflowError, 503),
)


class TaskAdmin:
    """HTTP API and dashboard of a TaskManager, under ``path`` of an app.

    Everybody needs the access token that is printed at start-up, unless ``auth`` or ``insecure`` says otherwise. A
    disabled manager has the two probes and nothing else. Up to ``title`` the parameters have the order of fastapi-taskflow.

    Args:
        app: The FastAPI app. The manager starts and stops with it.
        task_manager: The TaskManager.
        path: Where it is reached; starts with a slash and does not end with one.
        display_func_args: Show the arguments of tasks, with secrets masked.
        auto_install: Make the plain ``BackgroundTasks`` of the app's routes managed.
        auth: ``(user, password)``, a list of such pairs, or an object with
            ``authenticate_user(username, password) -> bool``, asked through HTTP Basic instead of the token.
        token_expiry: Seconds a session lasts that was opened with the access token.
        secret_key: Signs the sessions; default: made from the access token. At least 16 characters.
        poll_interval: Seconds after which an idle live stream sends a sign of life.
        title: Shown in the page.
        insecure: Let everybody in.
        allowed_hosts: Host names that are served (``*.example.com`` for all below). Default: any for those who show
            credentials, local names and IP addresses for others.
        include_in_schema: Show the API in the app's own OpenAPI document too.
        print_link: Write the link with the access token to stderr at start-up.
        links: Templates of links to where the telemetry is, by name: see ``otel_taskflow.links``.

    Raises ConfigurationError for a value that cannot be used, an unknown parameter, or a path that collides with a
    route of the app; TypeError for an ``auth`` of the wrong type.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the documented parameters, in the order of fastapi-taskflow
        self,
        app: FastAPI,
        task_manager: AdminBackend,
        path: str = "/tasks",
        display_func_args: bool = False,
        auto_install: bool = False,
        auth: Any = None,
        token_expiry: float = 86400,
        secret_key: str | bytes | None = None,
        poll_interval: float = 30.0,
        title: str = "otel_taskflow",
        *,
        insecure: bool = False,
        allowed_hosts: Sequence[str] | None = None,
        include_in_schema: bool = False,
        print_link: bool = True,
        links: Mapping[str, str] | None = None,
        **unknown: Any,
    ) -> None:
        given = {name: value for name, value in locals().items() if name in AdminOptions.__dataclass_fields__}
        self.options = check_options({**given, **unknown})
        check_parts(app, task_manager)
        self._app, self._backend = app, task_manager
        authenticator = self._authenticator()
        self.check_routes()
        self.sub_app = self._build_sub_app(authenticator)
        task_manager.init_app(app)
        if self.options.auto_install:
            task_manager.install(app)
        if task_manager.is_disabled:
            self._hang_in_probes()
        else:
            self._hang_in(Guard(self.sub_app, self.path, authenticator, self._policy(), Probes(task_manager)))
            if self.options.print_link and isinstance(authenticator, AccessToken):
                print_link_at_start(app, f"{self.path}/dashboard", task_manager)

    @property
    def path(self) -> str:
        """Where it is reached."""
        return self.options.path

    def check_routes(self) -> None:
        """Raise ConfigurationError if a route of the app lies at or below the path, or takes its requests away."""
        refuse_collisions(self._app.router.routes, self.path, getattr(self, "_route", None))

    # The steps

    def _authenticator(self) -> Authenticator:
        options = self.options
        if options.insecure:
            return OpenDoor()
        if options.auth is not None:
            return passwords_from(options.auth)
        return AccessToken(self._backend.access_token, options.secret_key, options.token_expiry)

    def _policy(self) -> Policy:
        return Policy(self.options.allowed_hosts, lambda: self._backend.trusted_client)

    def _build_sub_app(self, authenticator: Authenticator) -> FastAPI:
        sub_app = FastAPI(
            title=self.options.title,
            version=__version__,
            openapi_url=f"{self.path}/openapi.json",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            default_response_class=Json,
            # FastAPI 0.142 and newer: a mounted app observes what the app around it does not. Older ones keep it unread.
            telemetry={"tracing": False, "metrics": False, "logs": False},
        )
        redact = self._backend.redacted if self.options.display_func_args else None
        api = Api(self._backend, redact, DeepLinks(self.options.links))
        self._add_pages(sub_app, api)
        sub_app.include_router(api.router(), prefix=self.path)
        sub_app.openapi = cache(  # type: ignore[method-assign]
            partial(describe, api, path=self.path, title=self.options.title, scheme=authenticator.scheme)
        )
        _redirect_from_slashes(sub_app, self.path)
        for error, status in _STATUS_OF:
            sub_app.add_exception_handler(error, _answer_with(status))
        return sub_app

    def _add_pages(self, sub_app: FastAPI, api: Api) -> None:
        pages = Pages(api, self.path, self.options.title, __version__)
        streams = Streams(api, self.options.poll_interval)
        add = sub_app.router.add_api_route
        shell: dict[str, Any] = {"methods": ["GET", "HEAD"], "include_in_schema": False}
        add(f"{self.path}/dashboard", pages.list_page, **shell)
        add(f"{self.path}/dashboard/health", pages.health_page, **shell)
        add(f"{self.path}/dashboard/stream", streams.open, include_in_schema=False)
        add(f"{self.path}/dashboard/tasks/{{task_id}}", pages.task_page, **shell)
        add(f"{self.path}/dashboard/trace/{{trace_id}}", pages.trace_page, **shell)
        sub_app.mount(f"{self.path}/dashboard/static", BuiltFiles(), name="static")

    def _hang_in_probes(self) -> None:
        """A probe does not ask whether tasks are kept, and an app may have routes of its own in place of the rest."""
        answering = QuietApp(ProbesOnly(self.path, Probes(self._backend)))
        for probe in PROBES:
            mount(self._app.router.routes, f"{self.path}{probe}", answering)

    def _hang_in(self, guarded: ASGIApp) -> None:
        self._backend.add_startup_check(self.check_routes)
        self._route = mount(self._app.router.routes, self.path, QuietApp(guarded))
        if self.options.include_in_schema:
            _add_to_schema(self._app, self.sub_app)


def _redirect_from_slashes(sub_app: FastAPI, path: str) -> None:
    methods = ["GET", "HEAD", "POST"]
    for slashed in (f"{path}/", f"{path}/{{rest:path}}/"):
        sub_app.router.add_api_route(slashed, without_slash, methods=methods, include_in_schema=False)


def _answer_with(status: int) -> Any:
    async def answer(_request: Request, error: Exception) -> Response:
        return refusal(status, str(error) or type(error).__name__)

    return answer


def _add_to_schema(app: FastAPI, sub_app: FastAPI) -> None:
    """Let the app's OpenAPI document hold the sub-application's paths and components too."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        return merge(original(), sub_app.openapi())

    app.openapi = openapi  # type: ignore[method-assign]
