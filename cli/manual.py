"""What stands below the options in every command's help: examples, and what its exit code says."""

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "archs": ("pedigree archs", "pedigree archs --in-reach"),
    "backup": ("pedigree backup pets.tar", "pedigree backup ~/backups --json"),
    "config": ("pedigree config", "pedigree config one_cycle"),
    "datasets add": (
        "pedigree datasets add sample",
        "pedigree datasets add pets ~/photos",
        "pedigree datasets add cats cats.zip --label-from folder",
    ),
    "datasets batch": ("pedigree datasets batch pets batch.png --n 16",),
    "datasets delete": ("pedigree datasets delete pets",),
    "datasets learn-from-feedback": ("pedigree datasets learn-from-feedback pets --new-labels",),
    "datasets list": ("pedigree datasets list",),
    "datasets presizing": ("pedigree datasets presizing pets presizing.png --item 12",),
    "datasets show": ("pedigree datasets show pets",),
    "datasets summary": ("pedigree datasets summary pets --no-resize",),
    "demo": ("pedigree demo", "pedigree demo --pets ~/photos --epochs 3"),
    "doctor": ("pedigree doctor", "pedigree doctor --json"),
    "jobs answers": ("pedigree jobs answers 7", "pedigree jobs answers 7 --out answers"),
    "jobs cancel": ("pedigree jobs cancel 7",),
    "jobs list": ("pedigree jobs list --state queued",),
    "jobs lr-find": ("pedigree jobs lr-find pets --set arch=resnet18", "pedigree jobs lr-find --from-run 3 --unfreeze"),
    "jobs resume": ("pedigree jobs resume 7",),
    "jobs show": ("pedigree jobs show 7",),
    "jobs train": ("pedigree jobs train --dataset pets",),
    "jobs trials": ("pedigree jobs trials 12",),
    "jobs watch": ("pedigree jobs watch 7", "pedigree jobs watch 7 --json"),
    "keys create": (
        "pedigree keys create alice --scope admin",
        "pedigree keys create ci --scope train --expires 90d",
    ),
    "keys list": ("pedigree keys list",),
    "keys revoke": ("pedigree keys revoke alice",),
    "limits": ("pedigree limits",),
    "models add-breeds": ("pedigree models add-breeds 4 new-breeds --follow",),
    "models alias": ("pedigree models alias production 4", "pedigree models alias old --drop"),
    "models canary": (
        "pedigree models canary production 5 --share 0.1",
        "pedigree models canary production --promote",
    ),
    "models drift": ("pedigree models drift 4 --days 30",),
    "models export": ("pedigree models export production --format onnx --out pets.zip",),
    "models list": ("pedigree models list",),
    "models moves": ("pedigree models moves production",),
    "models register": ("pedigree models register 3 --alias production",),
    "models rollback": ("pedigree models rollback",),
    "models shadow": ("pedigree models shadow 5",),
    "models show": ("pedigree models show 4",),
    "predict": (
        "pedigree predict Birman_10.jpg",
        "pedigree predict --coverage 0.95 *.jpg",
        "pedigree predict photos --csv answers.csv",
        "pedigree predict --dataset pets --out answers",
    ),
    "predictions feedback": (
        "pedigree predictions feedback 0b6cf0a2-63bf-4d3a-9a44-7f6f0c5c7c11 Birman",
        "pedigree predictions feedback 0b6cf0a2-63bf-4d3a-9a44-7f6f0c5c7c11 none",
    ),
    "predictions forget": ("pedigree predictions forget --before 2026-01-01",),
    "predictions list": ("pedigree predictions list",),
    "predictions show": ("pedigree predictions show 0b6cf0a2-63bf-4d3a-9a44-7f6f0c5c7c11",),
    "restart": ("pedigree restart", "pedigree restart --data ~/pedigree"),
    "restore": (
        "pedigree restore pets.tar --data ~/restored",
        "pedigree restore ~/backups --check",
    ),
    "review apply": ("pedigree review apply pets decided.csv",),
    "review list": ("pedigree review list pets --limit 20", "pedigree review list pets --csv"),
    "review next": ("pedigree review next 9",),
    "runs compare": ("pedigree runs compare 3 5",),
    "runs confusion": ("pedigree runs confusion 3 --min-val 5",),
    "runs delete": ("pedigree runs delete 3",),
    "runs download": ("pedigree runs download 3 model",),
    "runs interpret": ("pedigree runs interpret 3 --tta --follow",),
    "runs list": ("pedigree runs list --best", "pedigree runs list --dataset pets --json"),
    "runs lr-find": ("pedigree runs lr-find 2",),
    "runs metrics": ("pedigree runs metrics 3", "pedigree runs metrics 3 --json --every 1"),
    "runs note": ("pedigree runs note 3 'the first with warping'",),
    "runs rename": ("pedigree runs rename 3 baseline",),
    "runs show": ("pedigree runs show 3",),
    "runs tag": ("pedigree runs tag 3 paper best", "pedigree runs tag 3 --remove best"),
    "runs top-losses": ("pedigree runs top-losses 3 --k 20",),
    "search": (
        "pedigree search pets --vary base_lr=1e-4..1e-2:log --vary size=128,160 --trials 20 --minutes 120 --follow",
        "pedigree search pets --vary arch=resnet18,resnet34,mobilenet_v3_large --train-minutes 10 --answer-ms 50",
        "pedigree search pets --space space.json --pruner hyperband --epochs 9",
    ),
    "train": (
        "pedigree train --dataset pets --arch resnet18 --follow",
        "pedigree train --dataset pets --set recipe=one_cycle --set lr_max=3e-3 --set freeze=true",
        "pedigree train --from-run 3 --epochs 6 --dry-run",
    ),
    "up": ("pedigree up", "pedigree up --port 9000 --data ~/pedigree", "pedigree up --host 0.0.0.0"),
    "webhooks add": (
        "pedigree webhooks add https://hooks.example.org/pedigree",
        "pedigree webhooks add http://localhost:9000/ --event job.failed --kind train",
    ),
    "webhooks deliveries": ("pedigree webhooks deliveries 1", "pedigree webhooks deliveries 1 --limit 5 --json"),
    "webhooks list": ("pedigree webhooks list",),
    "webhooks remove": ("pedigree webhooks remove 1",),
    "webhooks test": ("pedigree webhooks test 1",),
    "weights fetch": ("pedigree weights fetch resnet34",),
}
EXIT_CODES = (
    ("0", "done"),
    ("1", "it could not be done; one line on standard error says why"),
    ("2", "the words of the command are wrong"),
    ("130", "broken off with Ctrl-C; what the service has begun goes on"),
)
OWN_CODES = {
    "demo": {"130": "broken off with Ctrl-C; a service that it started is stopped"},
    "doctor": {"1": "something is not well"},
    "jobs watch": {"1": "the job failed or was cancelled"},
    "predict": {"1": "it could not be done, or a picture could not be used"},
    "up": {"0": "stopped in good order, by Ctrl-C too", "130": "broken off with Ctrl-C before it did anything"},
}


def with_manual(command: click.Command, path: str) -> click.Command:
    """Give a command, and all below it, their examples and exit codes."""
    if isinstance(command, click.Group):
        for name, inside in command.commands.items():
            with_manual(inside, f"{path} {name}")
    else:
        command.epilog = manual_of(path)
    return command


def manual_of(path: str) -> str:
    r"""The text below the options; ``\b`` keeps click from filling its lines."""
    parts = []
    if examples := EXAMPLES.get(path):
        parts.append("\n".join(["\b", "Examples:", *(f"  {example}" for example in examples)]))
    codes = OWN_CODES.get(path, {})
    lines = (f"  {code:<4} {codes.get(code, meaning)}" for code, meaning in EXIT_CODES)
    parts.append("\n".join(["\b", "Exit codes:", *lines]))
    return "\n\n".join(parts)
