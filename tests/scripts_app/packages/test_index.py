"""What a build is told of the place where packages come from."""

from pathlib import Path

import pytest
from django.conf import LazySettings

from scripts_app.packages import index


def test_a_build_sees_none_of_tempos_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSCHED_SECRET_KEY", "x")
    monkeypatch.setenv("UV_LINK_MODE", "hardlink")
    assert {"PYSCHED_SECRET_KEY", "UV_LINK_MODE", "VIRTUAL_ENV"}.isdisjoint(index.variables())


def test_a_build_uses_the_operators_proxy_and_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.lan:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/ca.pem")
    variables = index.variables()
    assert (variables["https_proxy"], variables["SSL_CERT_FILE"]) == (
        "http://proxy.lan:3128",
        "/ca.pem",
    )
    assert "UV_SYSTEM_CERTS" not in variables


def test_a_build_trusts_the_machines_certificates_when_none_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "UV_SYSTEM_CERTS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "ca.pem").touch()
    monkeypatch.setattr(index, "SYSTEM_CERTIFICATES", [str(tmp_path / "ca.pem")])
    assert index.variables()["UV_SYSTEM_CERTS"] == "true"


def test_the_configured_index_replaces_the_operators(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_INDEX", "http://other.lan")
    settings.PACKAGE_INDEX = "http://index.lan/simple"
    variables = index.variables()
    assert (variables["UV_DEFAULT_INDEX"], "UV_INDEX" in variables) == (
        "http://index.lan/simple",
        False,
    )


def test_without_a_configured_index_uvs_own_variables_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://other.lan")
    assert index.variables()["UV_DEFAULT_INDEX"] == "http://other.lan"


def test_trusted_hosts_are_told_to_uv(settings: LazySettings) -> None:
    settings.PACKAGE_TRUSTED_HOSTS = ["pypi.lan", "10.0.0.5:8443"]
    assert index.variables()["UV_INSECURE_HOST"] == "pypi.lan 10.0.0.5:8443"


def test_addresses_that_log_in_are_kept_apart(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PACKAGE_INDEX = "https://ann:s3cret@pypi.lan/simple"
    monkeypatch.setenv("https_proxy", "http://t0ken@proxy.lan:3128")
    assert index.secrets() == {
        "UV_DEFAULT_INDEX": settings.PACKAGE_INDEX,
        "https_proxy": "http://t0ken@proxy.lan:3128",
    }
    assert not {"UV_DEFAULT_INDEX", "https_proxy"} & index.variables().keys()
