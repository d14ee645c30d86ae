"""The import rules of pyproject.toml hold, and what modules export exists."""

import importlib
import pkgutil
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import filmroll

MODULES = [
    info.name
    for info in pkgutil.walk_packages(filmroll.__path__, "filmroll.")
    if not info.name.endswith("__main__")
]


def test_import_rules(capsys: pytest.CaptureFixture[str]) -> None:
    config = Path(__file__).parents[2] / "pyproject.toml"
    assert lint_imports(config_filename=str(config)) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", MODULES)
def test_exports_exist(name: str) -> None:
    module = importlib.import_module(name)
    missing = [export for export in getattr(module, "__all__", ()) if not hasattr(module, export)]
    assert not missing


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_they_are(name: str) -> None:
    assert (importlib.import_module(name).__doc__ or "").strip()


def test_packages_name_what_they_export() -> None:
    """A package whose __init__ holds names says which are public."""
    for name in MODULES:
        module = importlib.import_module(name)
        public = [key for key, value in vars(module).items() if _is_own(key, value, name)]
        if hasattr(module, "__path__") and public:
            assert sorted(module.__all__), name


def _is_own(key: str, value: object, package: str) -> bool:
    return not key.startswith("_") and str(getattr(value, "__module__", "")).startswith(package)
