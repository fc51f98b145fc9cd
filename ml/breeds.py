"""The 37 breeds of the Oxford-IIIT Pet dataset, under the names that its files have."""

from dataclasses import dataclass
from typing import Literal

Species = Literal["cat", "dog"]


@dataclass(frozen=True)
class Breed:
    """A breed's name as a label, and whether it is a cat or a dog."""

    name: str
    species: Species


_CATS = (
    "Abyssinian",
    "Bengal",
    "Birman",
    "Bombay",
    "British_Shorthair",
    "Egyptian_Mau",
    "Maine_Coon",
    "Persian",
    "Ragdoll",
    "Russian_Blue",
    "Siamese",
    "Sphynx",
)
_DOGS = (
    "american_bulldog",
    "american_pit_bull_terrier",
    "basset_hound",
    "beagle",
    "boxer",
    "chihuahua",
    "english_cocker_spaniel",
    "english_setter",
    "german_shorthaired",
    "great_pyrenees",
    "havanese",
    "japanese_chin",
    "keeshond",
    "leonberger",
    "miniature_pinscher",
    "newfoundland",
    "pomeranian",
    "pug",
    "saint_bernard",
    "samoyed",
    "scottish_terrier",
    "shiba_inu",
    "staffordshire_bull_terrier",
    "wheaten_terrier",
    "yorkshire_terrier",
)
BREEDS: tuple[Breed, ...] = (
    *(Breed(name, "cat") for name in _CATS),
    *(Breed(name, "dog") for name in _DOGS),
)
_SPECIES = {breed.name: breed.species for breed in BREEDS}


def species_of(name: str) -> Species | None:
    """Whether a label is a cat or a dog, or None for a name that is none of the 37."""
    return _SPECIES.get(name)
