"""Addresses of clients, as they are counted."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_NETWORK_BITS = 64


@lru_cache(maxsize=4096)
def network_of(host: str) -> str | None:
    """What is counted as one address: of IPv6 the network that one customer is given. None: this machine's own."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host[:100]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return None
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> _NETWORK_BITS << _NETWORK_BITS)}/{_NETWORK_BITS}"
    return str(address)
