"""Pages and pieces of pages, rendered from templates.

Invariants:

- whatever stands in a record or was written by a person is escaped: no template switches that off;
- the template engine is imported when the first page is asked for, not at the start of the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from conversation.clock import Clock
from gateway.admin.access import Permission, Principal
from gateway.console.preferences import Language, preferences
from gateway.console.texts import Say, text
from gateway.console.times import ago, duration, exact

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

WHO: web.RequestKey[Principal] = web.RequestKey("who", Principal)
"""Who is signed in; set on every page behind the door."""

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation. ``needs``: what a role must include to find something there."""

    name: str
    path: str
    needs: Permission = Permission.READ


NAVIGATION: tuple[tuple[str, tuple[Place, ...]], ...] = (
    ("", (Place("overview", "/console/"),)),
    (
        "build",
        (
            Place("bots", "/console/bots"),
            Place("agents", "/console/agents"),
            Place("playground", "/console/playground", Permission.OPERATE),
        ),
    ),
    (
        "watch",
        (
            Place("live", "/console/live"),
            Place("conversations", "/console/conversations"),
            Place("turns", "/console/turns"),
            Place("letters", "/console/dead-letters"),
        ),
    ),
    (
        "administer",
        (
            Place("audit", "/console/audit", Permission.READ_AUDIT),
            Place("tokens", "/console/tokens", Permission.ADMINISTER),
            Place("privacy", "/console/privacy", Permission.ADMINISTER),
        ),
    ),
)


def _again(request: web.Request) -> str:
    """The address of what is shown, to come back to; of what cannot be asked for again, a page near it. What an
    identity provider answered is for this once.
    """
    if request.path.startswith("/console/sign-in/"):
        return "/console/sign-in"
    return request.rel_url.raw_path_qs if request.method == "GET" else "/console/"


class Pages:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def page(
        self, request: web.Request, template: str, *, status: int = HTTPStatus.OK, **values: object
    ) -> web.Response:
        """A whole page. ``done`` in the address names what was done just before, to be told at its top."""
        return web.Response(
            status=status,
            text=self.piece(request, template, **values),
            content_type="text/html",
            charset="utf-8",
        )

    def piece(self, request: web.Request, template: str, **values: object) -> str:
        """What a template makes of these values, for the person that asks."""
        chosen = preferences(request)
        who = request.get(WHO)
        context: dict[str, object] = {
            "t": Say(chosen.language),
            "lang": chosen.language,
            "theme": chosen.theme,
            "who": who,
            "may": (lambda permission, bot=None: who is not None and who.may(Permission(permission), bot)),
            "navigation": NAVIGATION,
            "here": request.path,
            "again": _again(request),
            "done": request.query.get("done", ""),
            "time": partial(self._time, chosen.language),
            "duration": duration,
            **values,
        }
        return self._environment.get_template(template).render(context)

    def _time(self, language: Language, moment: datetime | None) -> Markup | str:
        """Relative, with the exact time where a machine or a pointer looks."""
        from markupsafe import Markup  # noqa: PLC0415 - see the invariants

        if moment is None:
            return text(language, "time.never")
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            moment.isoformat(timespec="seconds"),
            exact(moment),
            ago(moment.timestamp(), self._clock.now(), language),
        )

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - see the invariants
        from markupsafe import Markup, escape  # noqa: PLC0415 - likewise

        def marked(plain: str) -> Markup:
            """A text of our own in which `this` is code."""
            code = Markup("<code>{}</code>")
            pieces = plain.split("`")
            return Markup().join(
                code.format(one) if number % 2 else escape(one) for number, one in enumerate(pieces)
            )

        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters["marked"] = marked
        return environment
