"""A provider that is slow, sends too much, or is not there."""

import asyncio
import socket

import pytest

from api.sign_in import fetching
from api.sign_in.refusals import ProviderAway
from tests.identity_provider import IdentityProvider


def test_a_provider_that_does_not_answer_costs_little_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(ProviderAway, match="did not answer within"):
            asyncio.run(fetching.fetch(address, seconds=0.05))
    with pytest.raises(ProviderAway, match="does not answer"):
        asyncio.run(fetching.fetch(address))


def test_no_more_is_read_than_a_provider_has_to_say(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{provider.url}/.well-known/openid-configuration"
    assert asyncio.run(fetching.fetch(address)).content["issuer"] == provider.url
    monkeypatch.setattr(fetching, "MOST_BYTES", 100)
    with pytest.raises(ProviderAway, match="more than 100 bytes"):
        asyncio.run(fetching.fetch(address))
