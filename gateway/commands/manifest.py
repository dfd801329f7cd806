"""``turnkeeper manifest``: what to set at the platform for a bot, of the file or of a running gateway."""

from __future__ import annotations

from rich.console import Console

from gateway.admin.manifests import Manifest, NeedView
from gateway.api.client import ApiError, NoGatewayError, api_at, path
from gateway.commands.errors import CommandError
from gateway.commands.gateway_address import address_of, checked
from gateway.commands.printing import print_facts, print_json, print_line
from gateway.concrete import make_manifest
from gateway.settings import Settings


async def run(settings: Settings, bot: str, url: str | None, console: Console, *, json: bool) -> None:
    """Print it. Raises CommandError."""
    found = _of_the_file(settings, bot) if url is None else None
    manifest = found or await _of_the_gateway(settings, bot, url)
    if json:
        print_json(console, manifest.model_dump(mode="json"))
    else:
        _print(console, manifest, known=manifest.webhook_url.startswith("http"))


def _of_the_file(settings: Settings, bot: str) -> Manifest | None:
    for one in settings.bots:
        if one.id == bot:
            base = (settings.server.public_url or "").rstrip("/")
            region = one.region if one.channel == "lark" else "feishu"
            credentials = one.credentials if one.channel == "slack" else None
            return make_manifest(
                one.channel,
                bot,
                region,
                f"{base}/webhooks/{one.channel}/{bot}",
                several=None if credentials is None else credentials.client_id is not None,
                socket=one.transport == "socket",
            )
    return None


async def _of_the_gateway(settings: Settings, bot: str, url: str | None) -> Manifest:
    address = checked(url) if url is not None else address_of(settings)
    known = ", ".join(one.id for one in settings.bots) or "none"
    if settings.admin.token is None or address is None:
        raise CommandError(f"there is no bot {bot!r} in the configuration file; there are: {known}")
    try:
        async with api_at(address, settings.admin.token.get_secret_value()) as api:
            return await api.get(path("bots", bot, "manifest"), Manifest)
    except NoGatewayError as error:
        raise CommandError(
            f"there is no bot {bot!r} in the configuration file (there are: {known}); {error}"
        ) from error
    except ApiError as error:
        raise CommandError(str(error)) from error


def _print(console: Console, manifest: Manifest, *, known: bool) -> None:
    print_facts(console, {"webhook URL": manifest.webhook_url, "app console": manifest.console_url})
    if manifest.redirect_url is not None:
        print_facts(console, {"redirect URL": manifest.redirect_url})
    if manifest.install_url is not None:
        print_line(console, f"\nPeople install it in their workspaces at:\n{manifest.install_url}")
    if not known:
        print_line(console, "\nSet server.public_url: platforms need the whole address.")
    if manifest.manifest is not None:
        print_line(console, f"\nCreate the app with this filled in:\n{manifest.create_url}")
        print_line(console, f"\nor from this manifest:\n\n{manifest.manifest}")
        return
    _print_needs(console, "permissions and scopes", manifest.scopes)
    _print_needs(console, "events", manifest.events)


def _print_needs(console: Console, title: str, needs: tuple[NeedView, ...]) -> None:
    width = max(len(need.name) for need in needs)
    print_line(console, f"\n{title}")
    for need in needs:
        print_line(console, f"  {need.name:<{width}}  {need.en}{' (optional)' if need.optional else ''}")
