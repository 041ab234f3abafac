"""``python -m blender VIEW.json`` renders orders; ``build`` and ``adopt`` make a template, ``model`` a 3D model."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from blender.protocol import ModelOrder, ProtocolError, ViewOrder

USAGE = (
    "usage: python -m blender VIEW.json… | python -m blender build TEMPLATE_FOLDER | python -m blender adopt ORDER.json"
    " | python -m blender model MODEL.json"
)


def main(arguments: list[str]) -> int:
    """Run a command and return the exit status: 0 done, 1 Blender failed, 2 the input is wrong."""
    match arguments:
        case ["build", folder]:
            from blender.build import build

            try:
                facts = build(Path(folder), tell=lambda line: print(line, file=sys.stderr, flush=True))
            except ValueError as exc:
                print(f"blender: {exc}", file=sys.stderr)
                return 1
            for name, value in facts["drape"].items():
                print(f"{name} {value:g}", file=sys.stderr)
            print(f"{facts['id']} {facts['version']} {facts['hash']}")
            return 0
        case ["adopt", path]:
            return _adopt(Path(path))
        case ["model", path]:
            return _model(Path(path))
        case [*paths] if paths and paths[0] not in ("-h", "--help", "build", "adopt", "model"):
            return _render([Path(path) for path in paths])
    print(USAGE, file=sys.stderr)
    return 2


def _model(path: Path) -> int:
    from blender.model import write_model

    try:
        print(write_model(ModelOrder.from_json(path.read_bytes())).to_json())
    except OSError as exc:
        print(f"blender: {exc.filename or path}: {exc.strerror or exc}", file=sys.stderr)
        return 2
    except ProtocolError as exc:
        print(f"blender: {exc}", file=sys.stderr)
        return 2
    return 0


def _render(paths: list[Path]) -> int:
    from blender.session import RenderError, Session

    try:
        orders = [ViewOrder.from_json(path.read_bytes()) for path in paths]
        first = orders[0]
        say = _own_output()
        with Session(Path(first.template), device=first.device, threads=first.threads) as session:
            for order in orders:
                say(session.render(order).to_json())
    except OSError as exc:
        print(f"blender: {exc.filename or paths[0]}: {exc.strerror or exc}", file=sys.stderr)
        return 2
    except ProtocolError as exc:
        print(f"blender: {exc}", file=sys.stderr)
        return 2
    except RenderError as exc:
        print(f"blender: {exc}", file=sys.stderr)
        return 1
    return 0


def _adopt(path: Path) -> int:
    """Answer one line of JSON: ``facts`` of the new template, or ``refused`` with every reason."""
    from blender.blend.adopt import AdoptOrder, Refused, adopt
    from blender.session import RenderError

    say = _own_output()
    try:
        order = AdoptOrder.read(path)
        say(json.dumps({"facts": adopt(order)}))
    except Refused as exc:
        say(json.dumps({"refused": exc.reasons}))
    except (ProtocolError, RenderError) as exc:
        print(f"blender: {exc}", file=sys.stderr)
        return 1
    return 0


def _own_output() -> Callable[[str], None]:
    """Keep standard output for what is returned: Blender writes its progress there, and that goes to the errors."""
    ours = os.dup(1)
    os.dup2(2, 1)

    def say(line: str) -> None:
        os.write(ours, f"{line}\n".encode())

    return say


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
