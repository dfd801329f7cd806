"""``/api/v1/privacy``. Both ask with POST, so that nobody's id stands in an address, which proxies log."""

from __future__ import annotations

from gateway.admin.access import Permission
from gateway.admin.privacy import Person, PersonalData, PersonErased, PersonExport
from gateway.api.endpoint import Answer, Ask, Endpoint, Subject


def subject(data: PersonalData) -> Subject:
    async def exported(ask: Ask[None, Person]) -> Answer:
        person = ask.body
        return Answer(await data.export(ask.who, person.channel, person.user, person.bot))

    async def erased(ask: Ask[None, Person]) -> Answer:
        person = ask.body
        return Answer(await data.erase(ask.who, person.channel, person.user, person.bot))

    return Subject(
        "privacy",
        "What is kept of one person.",
        (
            Endpoint(
                "exportPerson",
                "POST",
                "/privacy/export",
                exported,
                "All that is kept of one person",
                needs=Permission.ADMINISTER,
                description="Made anew each time, as an answer that is remembered would outlive an erasure.",
                takes=Person,
                answers=PersonExport,
                remembered=False,
            ),
            Endpoint(
                "erasePerson",
                "POST",
                "/privacy/erase",
                erased,
                "Forget one person: questions, answers, dead letters",
                needs=Permission.ADMINISTER,
                takes=Person,
                answers=PersonErased,
            ),
        ),
    )
