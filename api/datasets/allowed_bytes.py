"""How many bytes an owner may have stored: data sets, uploads, and archives that wait for their jobs."""

from sqlalchemy.orm import Session

from api.datasets.resumable import Uploads
from store.db.owned import dataset_bytes, hold_owner, largest_dataset, sent_bytes
from store.errors import Hint, PayloadTooLarge, Request
from store.settings import Settings


class TooMuchStored(PayloadTooLarge):
    """With what is sent the owner would have more stored than one may have."""

    code = "too_much_stored"
    title = "Too much stored"


def check_bytes(
    session: Session, settings: Settings, uploads: Uploads, owner: str, size: int, *, upload: str | None = None
) -> None:
    """Hold that so many more bytes are within what an owner may have, until the caller's transaction ends.

    ``upload`` is the one that they come from, and is not counted beside them.

    Raises:
        TooMuchStored: they are not.
    """
    hold_owner(session, owner)
    in_datasets = dataset_bytes(session, owner)
    in_uploads = uploads.promised_to(owner, but=upload) + sent_bytes(session, owner)
    if in_datasets + in_uploads + size <= settings.max_key_bytes:
        return
    detail = (
        f"the data sets of {owner} take {in_datasets} bytes and their uploads {in_uploads}, "
        f"and with {size} more they are over {settings.max_key_bytes}"
    )
    largest = largest_dataset(session, owner)
    most = "" if largest is None else f" ({largest.name} takes most, {largest.bytes} bytes)"
    hint = f"Delete a data set{most} or an upload that nobody needs, or have PEDIGREE_MAX_KEY_BYTES raised."
    raise TooMuchStored(detail, Hint(hint, Request("GET", "/datasets")))
