"""One Blender process for one job: renders the orders named on its command line one after another, then ends."""

import sys
from pathlib import Path

from blender.protocol import ViewOrder
from blender.session import Session


def main(files: list[str]) -> None:
    orders = [ViewOrder.from_json(Path(file).read_bytes()) for file in files]
    with Session(Path(orders[0].template), device="auto", threads=0) as session:
        for order in orders:
            session.render(order)


if __name__ == "__main__":
    main(sys.argv[1:])
