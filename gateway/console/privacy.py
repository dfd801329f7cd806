"""One person's data: handed out, or erased."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aiohttp import web
from pydantic import ValidationError

from gateway.admin.access import Permission
from gateway.admin.errors import FieldProblem, InvalidError
from gateway.admin.fields import invalid_fields
from gateway.admin.privacy import Person, PersonErased, PersonExport
from gateway.console.console import Console, caller, check, say
from gateway.console.forms import Asked, make_form, patch, sent, written

_ASKED = (
    Asked("channel", "select", ("slack", "lark", "playground")),
    Asked("user"),
    Asked("bot", optional=True),
)
_UNSAFE_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def routes(console: Console) -> list[web.RouteDef]:
    data = console.administration.privacy

    def page(
        request: web.Request,
        *,
        values: Mapping[str, str],
        problems: Sequence[FieldProblem] = (),
        found: PersonExport | None = None,
        erased: PersonErased | None = None,
        status: int = 200,
    ) -> web.Response:
        return console.page(
            request,
            "privacy.html",
            status=status,
            form=make_form(say(request), _ASKED, values, about="person", problems=problems),
            asked=_ASKED,
            values=values,
            found=found,
            erased=erased,
        )

    async def asked(request: web.Request) -> web.Response:
        check(request, Permission.ADMINISTER)
        return page(request, values={"channel": "slack"})

    async def looked_up(request: web.Request) -> web.Response:
        """POST, so that nobody's id stands in an address; what is done says the button."""
        check(request, Permission.ADMINISTER)
        form = await sent(request)
        values = written(form, _ASKED)
        try:
            person = _read(values)
        except InvalidError as error:
            return page(request, values=values, problems=error.problems, status=422)
        who, whose = caller(request), (person.channel, person.user, person.bot)
        match form.get("do"):
            case "export":
                return _file(await data.export(who, *whose))
            case "erase" if form.get("confirm", "").strip() == person.user:
                return page(request, values=values, erased=await data.erase(who, *whose))
            case "erase":
                problem = FieldProblem("confirm", say(request)("privacy.mismatch"))
                found = await data.export(who, *whose)
                return page(request, values=values, found=found, problems=[problem], status=422)
            case _:
                return page(request, values=values, found=await data.export(who, *whose))

    return [web.get("/privacy", asked), web.post("/privacy", looked_up)]


def _read(values: Mapping[str, str]) -> Person:
    """Raises InvalidError."""
    try:
        return Person.model_validate(patch(values, _ASKED))
    except ValidationError as error:
        raise invalid_fields(error, Person) from None


def _file(found: PersonExport) -> web.Response:
    name = _UNSAFE_IN_NAMES.sub("-", f"{found.channel}-{found.user}")[:80]
    return web.Response(
        body=found.model_dump_json(indent=2).encode(),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}.json"'},
    )
