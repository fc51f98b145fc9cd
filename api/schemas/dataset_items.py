"""The photos of a dataset in a list."""

from typing import Any, Final, Self

from pydantic import BaseModel, Field

from ml.data.given_split import Side
from ml.data.manifest import Item

PHOTO: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/*": {}}, "description": "the photo as it was added"}
}
"""What a route says that answers with one."""


class DatasetItem(BaseModel):
    """A photo of a dataset."""

    item: int = Field(description="position in the dataset, from 0")
    path: str
    breed: str
    split: Side | None = Field(description="its side, where the dataset gives a split")
    width: int
    height: int
    bytes: int
    format: str
    image: str = Field(description="where the photo itself is")

    @classmethod
    def of(cls, number: int, item: Item, *, dataset: str, revision: str) -> Self:
        return cls(
            item=number,
            path=item.path,
            breed=item.label,
            split=item.split,
            width=item.width,
            height=item.height,
            bytes=item.bytes,
            format=item.format,
            image=f"/datasets/{dataset}/items/{number}/image?revision={revision}",
        )
