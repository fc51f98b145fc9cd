"""What an archive's entries may be, other than pictures with plain names."""

import random
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.mutations.damage import ANY_FILE
from benchmarks.mutations.packing import Packed

OUTSIDE = str(Path(tempfile.gettempdir()) / "pedigree-mutations-outside.jpg")
"""An absolute name: nothing may ever lie there."""
BOMB_BYTES = 96 << 20
MANY = 600
"""Empty files of a bomb. How many files there may be at most is a limit of its own, and each takes a disk its time."""
_LONG = 10_000
_NAMES = (
    "../outside_1.jpg",
    "a/../../outside_1.jpg",
    "..\\outside_1.jpg",
    OUTSIDE,
    "C:\\outside_1.jpg",
    "\\\\server\\share\\outside_1.jpg",
    "a/\x1b[2J_1.jpg",
    "a/line\r\nbreak_1.jpg",
    "a/nul\0_1.jpg",
    "a/\u202egpj_1.jpg",
    "a/\udcff\udcfe_1.jpg",
    "",
    ".",
    "/",
    "a//b///c_1.jpg",
    "x" * _LONG + "_1.jpg",
    "x" * 300 + "_1.jpg",
    "d/" * (_LONG // 2) + "x_1.jpg",
    "d/" * 40 + "x_1.jpg",
    "breed/",
    " _1.jpg",
    "CON_1.jpg",
    "~root/x_1.jpg",
    ".hidden/x_1.jpg",
    "犬/犬_1.jpg",
    "\N{PILE OF POO}" * 60 + "_1.jpg",
)
_SPECIAL = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
_LISTS = (
    b"",
    b"\0" * 2000,
    b"filename,label\n" + b"a.jpg,pug\n" * 50_000,
    b"filename,label\n" + b'"' + b"x" * 200_000,
    b"filename,label\n" + b"x" * _LONG + b"," + b"y" * _LONG + b"\n",
    b"filename" + b",label" * 20_000 + b"\n",
    b"\xff\xfe" + "filename,label\nx,pug\n".encode("utf-16-le"),
    b"sep=;\r\nfilename;label\r\n../x.jpg;pug\r\n",
    b"filename,label,split\nbirman_1.jpg,pug,moon\n",
    b"filename,label\n\x1b[2J,\x07\n=1+1,@x\n",
    b'filename,label\n"a""b\n',
    "filename,label\nbirman_1.jpg,ü\n".encode("cp1252"),
)

Entries = list[Packed]
Oddity = Callable[[random.Random, Entries], Entries]


def odd_names(chance: random.Random, entries: Entries) -> Entries:
    """Names that lead out, control a terminal, are too long, too deep, or none."""
    odd = [Packed(chance.choice(_NAMES), entry.content) for entry in chance.sample(entries, chance.randrange(1, 4))]
    return mixed(chance, entries, odd)


def same_names(chance: random.Random, entries: Entries) -> Entries:
    """A name twice, in another case, or as a file and as a folder."""
    one = chance.choice(entries)
    again = (one.name, one.name.upper(), f"{one.name}/within_1.jpg", one.name.partition("/")[0], f"./{one.name}")
    return mixed(chance, entries, [Packed(chance.choice(again), one.content) for _ in range(chance.choice((1, 2, 50)))])


def special_files(chance: random.Random, entries: Entries) -> Entries:
    """Links, devices and pipes; links lead out, to what is there, to what comes later, and to themselves."""
    targets = ("../../..", OUTSIDE, entries[0].name, entries[-1].name, "breed/x_9.jpg", "", "/dev/zero")
    odd = [
        Packed("breed/x_9.jpg", kind=chance.choice(_SPECIAL), target=chance.choice(targets))
        for _ in range(chance.choice((1, 1, 3)))
    ]
    through = [Packed("breed/x_9.jpg/through_1.jpg", entries[0].content)] if chance.random() < 0.3 else []  # noqa: PLR2004
    return [*mixed(chance, entries, odd), *through]


def bombs(chance: random.Random, entries: Entries) -> Entries:
    """Much of nothing: one large file, many small ones, or many that are large together."""
    kinds: list[Callable[[], Entries]] = [
        lambda: [Packed("breed/zeros_1.jpg", bytes(BOMB_BYTES))],
        lambda: [Packed(f"breed/zeros_{number}.jpg", bytes(BOMB_BYTES // 8)) for number in range(8)],
        lambda: [Packed(f"breed/empty_{number}.jpg") for number in range(MANY)],
        lambda: [Packed("labels.csv", b"a,b\n" * (BOMB_BYTES // 16))],
        lambda: [Packed(f"{'d/' * 20}{number}/x_1.jpg") for number in range(300)],
    ]
    return mixed(chance, entries, chance.choice(kinds)())


def damaged_files(chance: random.Random, entries: Entries) -> Entries:
    """Every file's content is changed as any file may be."""
    changed = []
    for entry in entries:
        damage = ANY_FILE[chance.choice(sorted(ANY_FILE))]
        changed.append(Packed(entry.name, damage(chance, entry.content or b"\0", entries[0].content)))
    return changed


def odd_lists(chance: random.Random, entries: Entries) -> Entries:
    """Lists of labels that are none, too long, or say what cannot be."""
    told = chance.choice(_LISTS)
    if chance.random() < 0.5:  # noqa: PLR2004
        honest = "".join(f"{entry.name},breed {number % 2}\n" for number, entry in enumerate(entries))
        told = ANY_FILE[chance.choice(sorted(ANY_FILE))](chance, f"filename,label\n{honest}".encode(), told or b"\0")
    names = ("labels.csv", "labels.csv", "LABELS.CSV", "a/labels.tsv", "other.csv")
    return mixed(chance, entries, [Packed(chance.choice(names), told)])


def as_they_are(_chance: random.Random, entries: Entries) -> Entries:
    """Nothing odd: what is changed is the archive."""
    return entries


def mixed(chance: random.Random, entries: Entries, more: Entries) -> Entries:
    """Both, the second somewhere among the first."""
    at = chance.randrange(len(entries) + 1)
    return [*entries[:at], *more, *entries[at:]]


ODDITIES: dict[str, Oddity] = {
    "odd names": odd_names,
    "names that come again": same_names,
    "links, devices, pipes": special_files,
    "bombs": bombs,
    "pictures and lists changed": damaged_files,
    "odd lists of labels": odd_lists,
}
