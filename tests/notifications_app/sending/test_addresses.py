"""Where messages may go, by the IP address that is connected to."""

import socket

import pytest

from notifications_app.channels.addresses import AddressRefused, Policy
from tests.refusals import refusal
from tests.rows import each_row

ALWAYS_REFUSED = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "ff02::1",
    # IPv4 within IPv6: mapped, compatible, NAT64, 6to4
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd12::1",
    "0.0.0.0",
    "::",
]
PUBLIC = ["93.184.216.34", "2606:2800:220:1::1"]


def is_refused(host: str, *, port: int = 443, policy: Policy) -> bool:
    try:
        policy.check(host, port)
    except AddressRefused:
        return True
    return False


@pytest.mark.parametrize("allows_private", [True, False])
@each_row("host", ALWAYS_REFUSED)
def test_addresses_of_the_network_itself_are_never_spoken_to(
    host: str, allows_private: bool
) -> None:
    assert is_refused(host, policy=Policy(allows_private=allows_private))


@each_row("host", PRIVATE)
def test_private_addresses_are_a_setting(host: str) -> None:
    assert not is_refused(host, policy=Policy(allows_private=True))
    assert is_refused(host, policy=Policy(allows_private=False))


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_may_be_spoken_to(host: str) -> None:
    assert not is_refused(host, policy=Policy(allows_private=False))


@each_row("host", ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"])
def test_tempos_own_port_is_refused_on_this_machine(host: str) -> None:
    policy = Policy(own_port=8000)
    assert is_refused(host, port=8000, policy=policy)
    assert not is_refused(host, port=8001, policy=policy)


def test_tempos_own_port_is_refused_at_each_address_of_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(
                ("192.0.2.1", 9)
            )  # sends nothing; the kernel picks the address it would send from
        except OSError:
            pytest.skip("this machine has no address but the loopback's")
        own = probe.getsockname()[0]
    assert is_refused(own, port=8000, policy=Policy(own_port=8000))


def test_the_same_port_of_another_machine_is_fine() -> None:
    assert not is_refused("192.0.2.1", port=8000, policy=Policy(own_port=8000))


def test_a_name_is_no_address_to_connect_to() -> None:
    assert is_refused("example.org", policy=Policy())


@each_row(
    "url",
    [
        "ftp://example.org/",
        "https://",
        "//example.org",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[::1",
        "http://example.org:99999/",
        "http://example..org/",
        f"http://{64 * 'a'}.org/",
        "http://localhost:8000/x",
    ],
)
def test_an_address_is_refused_in_the_form_already(url: str) -> None:
    with pytest.raises(AddressRefused):
        Policy(own_port=8000).check_url(url)


@each_row(
    "url",
    [
        "https://example.org/hook?a=b",
        "http://192.168.1.5:8123/x",
        "http://localhost/",
        "http://home_assistant.lan./",
        "https://münchen.example/",
        "http://[2001:db8::1]/",
    ],
)
def test_an_ordinary_address_passes(url: str) -> None:
    policy = Policy(own_port=8000)
    assert refusal(lambda: policy.check_url(url), AddressRefused) == ""
