"""How many photos ``POST /predict`` answers on this machine, by how many ask at a time: for a GPU above all.

    python -m benchmarks.predict_rates --photos FOLDER [--device cuda] [--clients 1 8 32 128]

A service of its own with a model of the drawn sample; clients that each wait for an answer before they send the next,
in a process of their own on the same machine. Prints a JSON object for the way that was chosen and one for each count
of clients.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.served_model import model, put_in_production
from benchmarks.stack import stack


def main() -> None:
    """Start, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of JPEG files, of which 200 are sent")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement, after one to warm up")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder), device=asked.device) as client:
        (machine,) = model(client, put_in_production(client))["machines"]
        print(json.dumps(machine), flush=True)
        for clients in asked.clients:
            load = [f"{client.base_url}/predict", "file", str(asked.photos), str(clients), str(asked.seconds)]
            command = [sys.executable, "-m", "benchmarks.load", *load]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(json.dumps({"clients": clients, **json.loads(done.stdout)}), flush=True)


if __name__ == "__main__":
    main()
