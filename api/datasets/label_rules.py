"""Which label rules and encodings a caller may ask for."""

from api.schemas.datasets import EncodedRuleFields, RuleFields
from ml.data.label_choice import choose_rule
from ml.data.label_rules import RuleRefused
from ml.data.manifest import LabelRule
from ml.unpack.entry_names import ENCODING_HINT, known_encoding
from store.errors import InvalidRequest


def label_rule(fields: RuleFields, *, beside: bool) -> LabelRule:
    """The rule that is asked for; ``beside`` says that a list of labels came with it.

    Raises:
        InvalidRequest: its fields exclude each other, or the regex is not accepted.
    """
    try:
        return choose_rule(
            label_from=fields.label_from,
            regex=fields.regex,
            by_folder=fields.by_folder,
            beside=beside,
            merge=fields.merge_labels,
        )
    except RuleRefused as error:
        raise InvalidRequest(str(error), error.hint, field=f"body.{error.field}") from None


def encoding_of(fields: EncodedRuleFields) -> str | None:
    """The encoding that is named, by Python's name of it.

    Raises:
        InvalidRequest: it is none that names are written in.
    """
    if fields.encoding is None:
        return None
    try:
        return known_encoding(fields.encoding)
    except ValueError as error:
        raise InvalidRequest(f"encoding {fields.encoding!r} {error}", ENCODING_HINT, field="body.encoding") from None
