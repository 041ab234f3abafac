"""A page's own script in Node.js."""

import json
import subprocess
from typing import Any

from serve_app.pages import SITE
from tests.playwright_node import node_js


def in_node(module: str, script: str, given: Any) -> Any:
    """What a function says that has ``given``, and a page's ``module`` as ``it``; one without imports of its own."""
    source = f"""
        import {{ readFileSync }} from "node:fs";
        const text = readFileSync({json.dumps(str(SITE / "js" / module))}, "utf-8");
        const it = await import("data:text/javascript;base64," + Buffer.from(text).toString("base64"));
        const given = JSON.parse(readFileSync(0, "utf-8"));
        process.stdout.write(JSON.stringify(await ({script})(given)));
    """
    done = subprocess.run(
        [node_js(), "--input-type=module", "-e", source],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
