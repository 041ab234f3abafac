"""A page's own script in Node.js."""

import json
import subprocess
from typing import Any

from playwright._impl._driver import compute_driver_executable

from serve_app.pages import SITE


def in_node(module: str, script: str, given: Any) -> Any:
    """What a function says that has ``given``, and a page's ``module`` as ``it``; one without imports of its own."""
    node = compute_driver_executable()[0]
    source = f"""
        import {{ readFileSync }} from "node:fs";
        const text = readFileSync({json.dumps(str(SITE / "js" / module))}, "utf-8");
        const it = await import("data:text/javascript;base64," + Buffer.from(text).toString("base64"));
        const given = JSON.parse(readFileSync(0, "utf-8"));
        process.stdout.write(JSON.stringify(await ({script})(given)));
    """
    done = subprocess.run(
        [node, "--input-type=module", "-e", source],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
