"""``pedigree archs`` and ``pedigree config``: what there is to choose from before a training."""

import json
from collections.abc import Sequence

import click

from cli.client import Client, Json
from cli.errors import CommandError
from cli.options import json_option, with_client
from cli.saying import say
from cli.tables import heading, show_json, show_pairs, show_table

GIB = 1 << 30
MILLION = 1_000_000
ARCHS = ("arch", "family", "parameters (M)", "cost", "memory (GiB)", "images/s here", "weights")
FIELDS = ("field", "default", "may be", "meaning")
ALONE = {"interpret": "runs interpret", "predict": "predict", "lr_find": "jobs lr-find"}


@click.command()
@click.option("--in-reach", is_flag=True, help="Only those whose published weights are on the service's machine.")
@json_option
@with_client
def archs(client: Client, *, in_reach: bool, as_json: bool) -> None:
    r"""List the architectures that can be trained, with what each costs.

    \b
    cost       computing for a photo, as a multiple of resnet34's
    memory     to train all of it, 64 photos of 224 pixels at once, in float32: within a factor of two
    images/s   of the last training or forecast of it here
    weights    where published weights lie; "-" where they would have to be fetched first
    """
    items = client.get("/architectures")["items"]
    found = [one for one in items if one["weights"]["in_reach"] or not in_reach]
    if as_json:
        show_json(found)
        return
    show_table(
        ARCHS,
        [_arch_row(one) for one in found],
        empty="No weights are in reach; `pedigree weights fetch ARCH` gets some.",
    )


def _arch_row(arch: Json) -> Sequence[object]:
    measured = arch["measured"]
    return [
        arch["name"],
        arch["family"],
        round(arch["parameters"] / MILLION, 1),
        round(arch["relative_cost"], 2),
        round(arch["memory_bytes"] / GIB, 1),
        None if measured is None else round(measured["images_per_second"], 1),
        (arch["weights"]["place"] or "-").replace("_", " "),
    ]


@click.command()
@click.argument("field", required=False)
@json_option
@with_client
def config(client: Client, *, field: str | None, as_json: bool) -> None:
    """Say what can be set of a job: each FIELD with its meaning, default and range, or one alone.

    A field is set with --set FIELD=VALUE, as in: pedigree train --dataset pets --set augment.max_warp=0
    """
    told = client.get("/config")
    if field is not None:
        _show_one(told, field, as_json=as_json)
    elif as_json:
        show_json(told)
    else:
        _show_all(told)


def _show_one(told: Json, name: str, *, as_json: bool) -> None:
    found = [field for field in told["fields"] if field["name"] == name]
    if not found:
        like = sorted({field["name"] for field in told["fields"] if name.rpartition(".")[2] in field["name"]})
        hint = f"Like it: {', '.join(like)}." if like else "`pedigree config` lists all."
        raise CommandError(f"There is no field {name!r}.", hint)
    if as_json:
        show_json(found)
        return
    for number, field in enumerate(found):
        if number:
            say()
        show_pairs(
            [
                ("field", field["name"]),
                ("meaning", field["meaning"]),
                ("of", field["recipe"] or ", ".join(field["kinds"])),
                ("default", default_words(field)),
                ("may be", range_words(field)),
            ]
        )


def _show_all(told: Json) -> None:
    show_pairs([(f"recipe {one['name']}", one["meaning"]) for one in told["recipes"]])
    shared = [field for field in told["fields"] if "train" in field["kinds"]]
    for group in told["groups"]:
        rows = [_field_row(field) for field in shared if field["group"] == group]
        if rows:
            heading(group)
            show_table(FIELDS, rows)
    for kind, command in ALONE.items():
        heading(f"Only of {kind} jobs (`pedigree {command}`)")
        show_table(FIELDS, [_field_row(field) for field in told["fields"] if field["kinds"] == [kind]])


def _field_row(field: Json) -> Sequence[str]:
    of = f" ({field['recipe']})" if field["recipe"] else ""
    return [field["name"] + of, default_words(field), range_words(field), field["meaning"]]


def default_words(field: Json) -> str:
    """The default as ``--set`` takes it."""
    if field["default"] is None:
        return "required" if field["is_required"] else "none"
    return field["default"] if isinstance(field["default"], str) else json.dumps(field["default"])


def range_words(field: Json) -> str:
    """``from 32 to 1024 pixels``, ``given or random``, ``true or false``."""
    if field["choices"]:
        return " or ".join(field["choices"])
    if field["type"] == "switch":
        return "true or false"
    ends = [("from", "least"), ("above", "above"), ("to", "most"), ("below", "below")]
    bounds = " ".join(f"{word} {field[key]:g}" for word, key in ends if field[key] is not None)
    said = " ".join(filter(None, (bounds or field["type"], field["unit"])))
    return " or ".join([said, *(["a pair of them"] if field["pair"] else []), *field["words"]])
