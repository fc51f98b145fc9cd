"""``python -m ml train FOLDER``: the whole of learning on one machine, without database, broker or HTTP."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from ml.bundle import Folder
from ml.checkpoint import LocalKeeper
from ml.config import ResolvedConfig, resolve, train_config
from ml.errors import LearningError
from ml.interpretation import Reading, most_confused
from ml.manifest import DEFAULT_REGEX, LabelRule
from ml.reporting import EpochRecord, NullReporter, Plan, Progress
from ml.scan import scan_folder
from ml.training import Places, fit


class JsonReporter(NullReporter):
    """One JSON object a line on standard output; progress only on a terminal, on standard error."""

    def on_plan(self, plan: Plan) -> None:
        """Print the plan."""
        print(json.dumps({"event": "plan", **asdict(plan)}), flush=True)

    def on_epoch(self, epoch: EpochRecord) -> None:
        """Print the epoch's row."""
        print(json.dumps({"event": "epoch", **asdict(epoch)}), flush=True)

    def on_progress(self, progress: Progress) -> None:
        """Keep one line on the terminal up to date."""
        if sys.stderr.isatty():
            left = "" if progress.eta_seconds is None else f", {progress.eta_seconds:.0f} s left"
            sys.stderr.write(f"\r{progress.stage} {progress.step}/{progress.steps}{left}   ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; errors are one line on standard error and exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        config = _config(options)
        reading = _train(config, options)
    except LearningError as error:
        hint = f" {error.hint}" if error.hint else ""
        print(f"{error.code}: {error.detail}.{hint}", file=sys.stderr)
        return 1
    except (ValidationError, ValueError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("--set",), "msg": str(error)}
        print(f"config: {'.'.join(map(str, first['loc']))}: {first['msg']}", file=sys.stderr)
        return 1
    confused = [asdict(cell) for cell in most_confused(reading.matrix, reading.vocab, 2)[:10]]
    done = {"event": "done", "error_rate": reading.error_rate, "valid_loss": reading.valid_loss}
    print(json.dumps({**done, "most_confused": confused}), flush=True)
    return 0


def _train(config: ResolvedConfig, options: argparse.Namespace) -> Reading:
    rule = LabelRule(kind="folder") if options.by_folder else LabelRule(regex=options.regex)
    manifest = scan_folder(options.folder, rule, name=options.folder.name)
    places = Places(cache=options.cache, weights=options.weights, work=options.out)
    result = fit(
        config,
        manifest,
        Folder(options.folder, manifest),
        places=places,
        reporter=JsonReporter(),
        keeper=LocalKeeper(options.out / "checkpoint"),
        device=options.device,
    )
    return result.reading


def _config(options: argparse.Namespace) -> ResolvedConfig:
    chosen = {}
    for setting in options.set:
        name, equals, value = setting.partition("=")
        if not equals:
            message = f"{setting!r} is not name=value"
            raise ValueError(message)
        try:
            chosen[name] = json.loads(value)
        except ValueError:
            chosen[name] = value
    return resolve(train_config.validate_python(chosen))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml", description="Train on a folder of labelled pictures.")
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train", help="train, and leave weights and predictions in --out")
    train.add_argument("folder", type=Path)
    train.add_argument("--out", type=Path, required=True, help="folder for weights, predictions and the checkpoint")
    train.add_argument("--cache", type=Path, default=Path("~/.cache/pedigree").expanduser())
    train.add_argument("--weights", type=Path, help="folder of weight files")
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    train.add_argument("--regex", default=DEFAULT_REGEX, help="its one group is the label, on the file's name")
    train.add_argument("--by-folder", action="store_true", help="the label is the folder's name")
    train.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a field of the config")
    return parser


if __name__ == "__main__":
    sys.exit(main())
