"""Which model answers a request."""

from fastapi.concurrency import run_in_threadpool

from api.serving.canary import LOOKED_AT
from api.serving.predictor import LoadedCanary, LoadedVersion, Predictor
from api.serving.sent_pictures import SentPicture
from ml.errors import ImageRejected


async def picked(predictor: Predictor, name: str, first: SentPicture) -> LoadedVersion:
    """The model of ``name``, or its canary where the request's first photo is in its share.

    Raises:
        NoModel: nothing is registered under the alias.
        NotFound: no such version.
        ArtifactMissing: the model's files are gone.
        CheckpointInvalid: the model's files cannot be read.
    """
    served = predictor.ready(name)
    if served is None:
        served = await run_in_threadpool(predictor.serve, name)
    canary = predictor.canary(name)
    # A large photo may lie on the disk.
    if canary is not None and await run_in_threadpool(_takes, canary, first):
        return canary.served
    return served


def _takes(canary: LoadedCanary, photo: SentPicture) -> bool:
    try:
        return canary.takes(photo.read(LOOKED_AT))
    except ImageRejected:
        # Whatever answers will say so.
        return False
