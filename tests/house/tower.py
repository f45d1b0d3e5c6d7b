"""The product's source as the house rules see it: modules, floors, imports."""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "s3o"

FLOORS = {
    "model": 1,
    "wire": 2,
    "policy": 2,
    "config": 2,
    "observe": 2,
    "ledger": 3,
    "net": 3,
    "backends": 4,
    "encryption": 4,
    "objects": 5,
    "services": 6,
    "s3api": 6,
    "admin": 7,
    "daemon": 8,
    "cli": 9,
}


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its text, its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The package below s3o, or "" for s3o itself."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""

    def imports(self) -> list[tuple[str, int]]:
        """Every imported dotted name with its line, lazily imported ones included."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(alias.name, node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}: relative import"
                module = node.module or ""
                found.append((module, node.lineno))
                found += [(f"{module}.{a.name}", node.lineno) for a in node.names]
        return found


def load_modules() -> list[Module]:
    """Read every module of the product."""
    modules = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        modules.append(Module(name, path, text, ast.parse(text)))
    return modules


MODULES = load_modules()
NAMES = {module.name for module in MODULES}
