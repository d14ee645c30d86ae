"""docs/http-api.md names every route there is, and none that there is not."""

import re
from pathlib import Path

from filmroll.settings import Role, Settings
from filmroll.web.app import App
from filmroll.wiring import open_services

PAGE = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text()
ROUTE = re.compile(r"(OPTIONS|HEAD|GET|POST|PUT|PATCH|DELETE) (/[\w/{}.<>-]*)")


def spelled(path: str) -> str:
    """Return a path with nameless places: ``/v1/images/{}``."""
    return re.sub(r"\{\w+\}|<\w+>", "{}", path)


async def described(data: Path) -> set[tuple[str, str]]:
    settings = Settings(data=data)
    async with open_services(settings, Role.ALL) as services:
        paths = App(services, Role.ALL)._api.openapi()["paths"]
    return {
        (method.upper(), spelled(path)) for path, methods in paths.items() for method in methods
    }


async def test_the_page_and_the_service_name_the_same_routes(tmp_path: Path) -> None:
    documented = {(method, spelled(path)) for method, path in ROUTE.findall(PAGE)}
    assert documented == await described(tmp_path / "data")
