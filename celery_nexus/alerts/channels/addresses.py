"""Addresses that no alert is sent to: link-local ones, where clouds answer with the machine's credentials."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from celery_nexus.alerts.channels.spec import ChannelFailed

_METADATA = (ip_address("100.100.100.200"), ip_address("fd00:ec2::254"), ip_address("168.63.129.16"))
"""Metadata services that are not link-local: Alibaba's, Amazon's by IPv6, Azure's."""

_NAT64 = ip_network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    """Look a host up, and return its addresses.

    All of them are checked, and who connects uses what was checked: the name may mean another address a moment later.

    Raises:
        ChannelFailed: It is not found, or one of its addresses is refused.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such host"
        raise ChannelFailed(f"{host} is not found ({reason})") from None
    addresses = [(row[0], (str(row[4][0]), int(row[4][1]))) for row in found]
    for _, (address, _) in addresses:
        check_address(host, address)
    return addresses


def check_address(host: str, address: str) -> None:
    """Make sure that an address may be sent to.

    Raises:
        ChannelFailed: It is link-local, a cloud's metadata service, multicast, or none at all.
    """
    ip = _plain(ip_address(address.partition("%")[0]))
    if ip.is_link_local or ip in _METADATA:
        raise ChannelFailed(
            f"{host} is {ip}: refused, a link-local address answers with a machine's credentials to whoever asks"
        )
    if ip.is_multicast or ip.is_unspecified:
        raise ChannelFailed(f"{host} is {ip}: refused, it is no address of a server")


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Unwrap an IPv4 address that an IPv6 one carries."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
