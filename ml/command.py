"""The command ``python -m ml``: the whole of learning on one machine, without database, broker or HTTP."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError

from ml.config import LrFind, ResolvedConfig, TrainSettings, complete, resolve, train_config
from ml.data.bundle import Folder
from ml.data.label_choice import LABEL_FROM_HELP, choose_rule
from ml.data.label_rules import RuleRefused
from ml.data.manifest import DEFAULT_REGEX, LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.disk import full_disk_told
from ml.errors import LearningError, NoRateFound, Stopped
from ml.fetch.weights import load_state
from ml.learn.checkpoint import LocalKeeper
from ml.learn.lr_find import search
from ml.learn.model import check_trained
from ml.learn.setup import Paths
from ml.learn.training import fit
from ml.reading.agreement import RateSearch
from ml.reading.metrics import most_confused
from ml.reading.suggestions import FUNCTIONS, SHOWN_AS
from ml.reporting import EpochRecord, NullReporter, Plan, Progress, RateRecord
from ml.run_files import WEIGHTS

MOST_VALUE_CHARS = 60


class Signals:
    """Ctrl-C and SIGTERM: the first ends the work in order, where it asks; a second one ends it at once."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def stop(self) -> bool:
        """Whether a signal came. From the first call on, the work is taken to look here again and again."""
        self.asked = True
        return self.number is not None

    @property
    def name(self) -> str:
        """Of the signal that came."""
        return signal.Signals(self.number or signal.SIGINT).name

    @property
    def status(self) -> int:
        """What a shell shows for a process that the signal ended."""
        return 128 + (self.number or signal.SIGINT)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        again, self.number = self.number is not None, number
        if again or not self.asked:
            raise KeyboardInterrupt


class JsonReporter(NullReporter):
    """One JSON object a line on standard output; progress only on a terminal, on standard error."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def on_plan(self, plan: Plan) -> None:
        _print("plan", asdict(plan))

    def on_epoch(self, epoch: EpochRecord) -> None:
        _print("epoch", asdict(epoch))

    def on_rate(self, found: RateRecord) -> None:
        """Print what a search for a learning rate gave."""
        _print("rate", asdict(found))

    def on_log(self, message: str) -> None:
        _print("log", {"message": message})

    def on_progress(self, progress: Progress) -> None:
        """Keep one line on the terminal up to date."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{progress.stage} {progress.step}/{progress.steps}{_left(progress)}   ")

    def should_stop(self) -> bool:
        """Once a signal came."""
        return self._signals.stop()


def _left(progress: Progress) -> str:
    if progress.eta_seconds is not None:
        return f", {progress.eta_seconds:.0f} s left"
    return "" if progress.stage_eta_seconds is None else f", {progress.stage_eta_seconds:.0f} s left of this stage"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; an error is one line on standard error and exit code 1, a signal a line and 128 + its number."""
    options = _parser().parse_args(arguments)
    signals = Signals()
    try:
        work = _work(options, signals)
    except RuleRefused as error:
        return _complain(f"config: {error}. {error.hint}")
    except ValueError as error:
        return _complain(
            f"config: {_wrong_setting(error) if isinstance(error, ValidationError) else f'--set: {error}'}"
        )
    try:
        with full_disk_told("what the command leaves"):
            closing = work()
    except LearningError as error:
        hint = f" {error.hint}" if error.hint else ""
        return _complain(f"{error.code}: {error.detail}.{hint}")
    except (OSError, SafetensorError) as error:
        return _complain(f"disk: {_said(error)}. Choose another --out or --cache, or free space.")
    except (Stopped, KeyboardInterrupt):
        _complain(f"stopped by {signals.name}: {options.after_stop}")
        return signals.status
    print(closing, flush=True)
    return 0


def _work(options: argparse.Namespace, signals: Signals) -> Callable[[], str]:
    """What the command is to do, with its settings read.

    Raises:
        RuleRefused: there is no such label rule.
        ValueError: another setting is wrong (pydantic's ``ValidationError``, where it is a field).
    """
    rule = choose_rule(
        label_from=options.label_from,
        regex=options.regex,
        by_folder=options.by_folder,
        beside=options.labels is not None,
        merge=options.merge_labels,
    )
    chosen = _chosen(options)
    if options.command == "train":
        config = resolve(train_config.validate_python(chosen))
        return lambda: _train(options, config, rule, signals)
    search_config = complete(LrFind.model_validate(chosen))
    return lambda: _find_rate(options, search_config, rule, signals)


def _train(options: argparse.Namespace, config: ResolvedConfig, rule: LabelRule, signals: Signals) -> str:
    # A folder that cannot be made is found out now, not when the training is over.
    options.out.mkdir(parents=True, exist_ok=True)
    manifest = _scan(options, config, rule)
    result = fit(
        config,
        manifest,
        Folder(options.folder, manifest),
        paths=Paths(cache=options.cache, weights=options.weights, work=options.out),
        reporter=JsonReporter(signals),
        keeper=LocalKeeper(options.out / "checkpoint"),
        device=options.device,
        initial=options.model,
    )
    if result.failure is not None:
        hint = f"Go on with --model {result.files[WEIGHTS]} and another --out. {result.failure.hint}"
        raise NoRateFound(result.failure.detail, hint=hint)
    reading = result.reading
    confused = [asdict(cell) for cell in most_confused(reading.matrix, reading.vocab, 2)[:10]]
    done = {"event": "done", "error_rate": reading.error_rate, "valid_loss": reading.valid_loss}
    return json.dumps({**done, "most_confused": confused})


def _find_rate(options: argparse.Namespace, config: LrFind, rule: LabelRule, signals: Signals) -> str:
    manifest = _scan(options, config, rule)
    found = search(
        config,
        manifest,
        Folder(options.folder, manifest),
        paths=Paths(cache=options.cache, weights=options.weights, work=options.cache),
        reporter=JsonReporter(signals),
        device=options.device,
        initial=options.model,
    )
    return table(found)


def table(found: RateSearch) -> str:
    """The suggestions for people: middle, word, spread in decades and each sweep's; then what they say together."""
    width = 12
    heads = ["", "middle", "word", "decades", *(f"sweep {number + 1}" for number in range(len(found.sweeps)))]
    rows = [heads]
    for name in FUNCTIONS:
        judged = found.judged[name]
        rates = [judged.rate, *(sweep.found.rates[name] for sweep in found.sweeps)]
        middle, *each = ["-" if rate is None else f"{rate:.2e}" for rate in rates]
        decades = "-" if judged.spread_decades is None else f"{judged.spread_decades:.2f}"
        rows.append([SHOWN_AS.get(name, name), middle, judged.agreement, decades, *each])
    lines = ["".join(cell.ljust(width) for cell in row).rstrip() for row in rows]
    rate = "no rate" if found.rate is None else f"rate {found.rate:.2e}"
    said = [f"{rate} ({found.agreement}): {found.agreement_reason}", *([found.advice] if found.advice else [])]
    return "\n".join([*lines, *said])


def _scan(options: argparse.Namespace, config: TrainSettings, rule: LabelRule) -> Manifest:
    manifest = scan_folder(options.folder, rule, name=options.folder.name, labels=options.labels)
    for note in manifest.notes:
        _print("log", {"message": note})
    if options.model is not None:
        check_trained(config.arch, len(manifest.vocab), load_state(options.model), options.model.name)
    return manifest


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The fields that ``--set`` names; ``a.b=value`` sets field b of a."""
    chosen: dict[str, Any] = {}
    for setting in options.set:
        path, equals, value = setting.partition("=")
        if not equals:
            message = f"{setting!r} is not name=value"
            raise ValueError(message)
        *groups, name = path.split(".")
        fields = chosen
        for group in groups:
            fields = fields.setdefault(group, {})
            if not isinstance(fields, dict):
                message = f"{setting!r} names a field of {group}, which is set to {fields!r}"
                raise ValueError(message)  # noqa: TRY004 - of what the user typed, not of a caller's argument
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return chosen


def _wrong_setting(error: ValidationError) -> str:
    """The first field at fault, what is wrong with it and, where a rule of ours says so, what to change."""
    first = error.errors()[0]
    about = first.get("ctx", {})
    place = [*first["loc"], *([about["field"]] if "field" in about else [])]
    value = first["input"].get(about["field"]) if "field" in about else first["input"]
    shown = "" if isinstance(value, dict | list) else f" {json.dumps(value)[:MOST_VALUE_CHARS]}"
    hint = f". {about['hint']}" if "hint" in about else ""
    return f"{'.'.join(map(str, place))}{shown}: {first['msg']}{hint}"


def _print(event: str, content: dict[str, Any]) -> None:
    print(json.dumps({"event": event, **content}), flush=True)


def _said(error: Exception) -> str:
    """An error of the system in one line, with the file that it is about."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _complain(sentence: str) -> int:
    start = "\n" if sys.stderr.isatty() else ""
    print(f"{start}{sentence}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml", description="Learn from a folder of labelled pictures.")
    commands = parser.add_subparsers(required=True, dest="command")
    train = commands.add_parser("train", help="train, and leave weights and predictions in --out")
    train.set_defaults(after_stop="the same command again goes on from the last checkpoint in --out")
    train.add_argument("--out", type=Path, required=True, help="folder for weights, predictions and the checkpoint")
    find = commands.add_parser("lr-find", help="search a learning rate; trains nothing and leaves no files")
    find.set_defaults(after_stop="nothing was kept")
    for command in (train, find):
        command.add_argument("folder", type=Path)
        command.add_argument("--cache", type=Path, default=Path("~/.cache/pedigree").expanduser())
        command.add_argument("--weights", type=Path, help="folder of weight files")
        command.add_argument("--model", type=Path, help="a run's model.safetensors to start from")
        command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
        command.add_argument("--label-from", metavar="WHERE", help=LABEL_FROM_HELP)
        command.add_argument("--regex", help=f"its one group is the label; {DEFAULT_REGEX} unless told otherwise")
        command.add_argument("--by-folder", action="store_true", help="the same as --label-from folder")
        command.add_argument("--labels", type=Path, help="a list of labels: filename,label[,split] in each line")
        command.add_argument("--merge-labels", action="store_true", help="merge labels that differ in case or spaces")
        command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a field of the config")
    return parser
