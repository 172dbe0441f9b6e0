"""R2 and the options of a client: arguments, then the environment, then defaults, checked before anything is sent."""

from __future__ import annotations

import contextlib
import copy
import math
import pickle
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.client import AsyncEigenpalClient
from eigenpal.engine.headers import header_value
from eigenpal.engine.options import (
    ClientOptions,
    EigenpalInsecureWarning,
    checked_timeout,
    is_loopback,
    warn_unverified,
)
from eigenpal.engine.secret import Secret
from eigenpal.errors import EigenpalInputError
from eigenpal.service import EIGENPAL, credentials

KEY = "eig_secret-4711"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EIGENPAL_API_KEY", raising=False)
    monkeypatch.delenv("EIGENPAL_BASE_URL", raising=False)


def resolve(**given: Any) -> ClientOptions:
    credentials_given = credentials(given.pop("api_key", KEY))
    defaults: dict[str, Any] = {
        "credentials": credentials_given,
        "base_url": None,
        "timeout_seconds": 60.0,
        "max_retries": 3,
        "default_headers": None,
        "trigger": None,
        "api_generation": "0.7",
    }
    return ClientOptions.resolve(EIGENPAL, **defaults | given)


def key_of(options: ClientOptions) -> str:
    return options.credentials.revealed()["Authorization"].removeprefix("Bearer ")


# ---------------------------------------------------------------------------------------------------- precedence


def test_an_argument_comes_before_the_environment_and_that_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve().base_url == "https://studio.eigenpal.com"
    monkeypatch.setenv("EIGENPAL_API_KEY", "from-environment")
    monkeypatch.setenv("EIGENPAL_BASE_URL", "https://environment.example")
    options = resolve(api_key=None)
    assert key_of(options) == "from-environment"
    assert options.base_url == "https://environment.example"
    options = resolve(base_url="https://argument.example")
    assert key_of(options) == KEY
    assert options.base_url == "https://argument.example"


@pytest.mark.parametrize("key", [None, "", "  \n"])
@pytest.mark.parametrize("variable", [None, "", " "])
def test_a_missing_key_names_the_argument_and_the_variable(
    monkeypatch: pytest.MonkeyPatch, key: str | None, variable: str | None
) -> None:
    if variable is not None:
        monkeypatch.setenv("EIGENPAL_API_KEY", variable)
    with pytest.raises(ValueError, match=r"api_key=.*EIGENPAL_API_KEY") as caught:
        resolve(api_key=key)
    assert isinstance(caught.value, EigenpalInputError)


def test_a_key_that_was_given_and_is_empty_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIGENPAL_API_KEY", "somebody-elses")
    with pytest.raises(EigenpalInputError, match="no API key"):
        resolve(api_key="")


def test_a_generation_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(EigenpalInputError, match=r"'9\.9' is not known; this version speaks .*'0\.7'"):
        resolve(api_generation="9.9")


# ---------------------------------------------------------------------------------------------------- header values


def test_r2_whitespace_around_a_header_value_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    options = resolve(api_key=f" {KEY}\r\n", trigger=" cli\n", default_headers={"X-Team": "\tblue "})
    assert key_of(options) == KEY
    assert options.trigger == "cli"
    assert options.default_headers == {"X-Team": "blue"}
    monkeypatch.setenv("EIGENPAL_API_KEY", f"{KEY}\n")
    assert key_of(resolve(api_key=None)) == KEY


@pytest.mark.parametrize("name", ["api_key", "trigger", "default_headers"])
@pytest.mark.parametrize(
    "value",
    [
        "se\ncret",
        "se\r\ncret: 1",
        "se\tcret",
        "se\0cret",
        "se\x7fcret",
        "sécret",
        "se\u2028cret",
        "secret\ud800",
        "se\x85cret",
    ],
)
def test_r2_a_value_that_can_not_be_a_header_is_refused_and_never_shown(name: str, value: str) -> None:
    given: dict[str, Any] = {name: {"X-Team": value} if name == "default_headers" else value}
    with pytest.raises(EigenpalInputError, match=f"^{name}.* can't be sent in a header") as caught:
        resolve(**given)
    for text in (str(caught.value), repr(caught.value), repr(caught.value.__dict__)):
        assert "ter2" not in text


@given(st.text())
def test_r2_any_value_is_safe_to_send_or_refused(value: str) -> None:
    if all(" " <= character <= "~" for character in value.strip()):
        assert header_value("X", value) == value.strip()
    else:
        with pytest.raises(EigenpalInputError):
            header_value("X", value)


@pytest.mark.parametrize("value", [5, b"secret", ["secret"], Path("secret")])
def test_r2_a_value_that_is_no_text_is_refused_and_never_shown(value: Any) -> None:
    for options in ({"default_headers": {"X-Team": value}}, {"api_key": value}, {"trigger": value}):
        with pytest.raises(EigenpalInputError, match="must be a string, not ") as caught:
            resolve(**options)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", " ", "X Team", "X-Team:", "X-Team\n", "Ä", "X\0", b"X-Team", 5, None, ("X",)])
def test_r2_a_name_that_can_not_be_a_header_is_refused(name: Any) -> None:
    with pytest.raises(EigenpalInputError, match="in default_headers is not a header name"):
        resolve(default_headers={name: "secret"})


def test_r2_names_are_one_header_however_they_are_written() -> None:
    options = resolve(default_headers={"user-agent": "mine", "X-TEAM": "blue"})
    assert options.default_headers == {"User-Agent": "mine", "X-Team": "blue"}
    assert options.replaced(default_headers={"x-team": "red"}).default_headers == {
        "User-Agent": "mine",
        "X-Team": "red",
    }


# ---------------------------------------------------------------------------------------------------- base_url


@pytest.mark.parametrize(
    ("given", "base_url"),
    [
        ("https://host", "https://host"),
        ("https://host/", "https://host"),
        ("https://host///", "https://host"),
        ("https://host:8443/a/b/", "https://host:8443/a/b"),
        (" https://host\n", "https://host"),
        ("HTTPS://Host/Prefix", "HTTPS://Host/Prefix"),
        ("https://xn--gre-6ka.example", "https://xn--gre-6ka.example"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://host/a%20b", "https://host/a%20b"),
    ],
)
def test_a_base_url_may_have_a_port_a_prefix_and_a_trailing_slash(given: str, base_url: str) -> None:
    assert resolve(base_url=given).base_url == base_url


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("host", "must be an address such as"),
        ("host:8080", "must be an address such as"),
        ("//host", "must be an address such as"),
        ("ftp://host", "must be an address such as"),
        ("https://", "must be an address such as"),
        ("https:///path", "must be an address such as"),
        ("https://:8443", "must be an address such as"),
        ("https://host:port", "must be an address such as"),
        ("https://host:99999", "must be an address such as"),
        ("https://[::1", "must be an address such as"),
        ("https://ho st", "must be an address such as"),
        ("https://host/a b", "must be an address such as"),
        ("https://höst", "must be an address such as"),
        ("https://host/\0", "must be an address such as"),
        ("https://ho\nst", "must be an address such as"),
        ("  ", "must be an address such as"),
        ("https://host?a=b", "must end before any '\\?' or '#'; give 'https://host'"),
        ("https://host/a?", "give 'https://host/a'"),
        ("https://host/a#", "give 'https://host/a'"),
        ("https://host/#top", "give 'https://host/'"),
        ("https://user:hunter2@host", "must not carry a user name or password"),
        ("https://user@host", "must not carry a user name or password"),
        ("https://@host", "must not carry a user name or password"),
        ("https://:hunter2@host?a", "must not carry a user name or password"),
        ("https://evil.example\\@host", "must not carry a user name or password"),
    ],
)
def test_a_base_url_that_can_not_work_is_refused_with_advice(given: str, message: str) -> None:
    with pytest.raises(EigenpalInputError, match=f"^base_url {message}|^base_url .*{message}") as caught:
        resolve(base_url=given)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("given", [5, b"https://host", Path("host")])
def test_a_base_url_that_is_no_text_is_refused(given: Any) -> None:
    with pytest.raises(EigenpalInputError, match="^base_url must be a string, not "):
        resolve(base_url=given)


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.nip.io", "[2001:db8::1]"]
)
def test_plain_http_warns_that_the_key_can_be_read(host: str) -> None:
    with pytest.warns(EigenpalInsecureWarning, match="travels unencrypted") as caught:
        resolve(base_url=f"http://{host}:3000")
    assert len(caught) == 1
    assert KEY not in str(caught[0].message)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "api.localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_plain_http_to_this_machine_is_fine(host: str) -> None:
    assert resolve(base_url=f"http://{host}:3000").base_url == f"http://{host}:3000"


@pytest.mark.parametrize("host", ["", "localhost.", "notlocalhost", "::2", "128.0.0.1"])
def test_only_this_machine_is_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_a_warning_points_at_the_line_that_made_the_client() -> None:
    with pytest.warns(EigenpalInsecureWarning) as caught:
        AsyncEigenpalClient(KEY, base_url="http://example.com", verify_ssl=False)
    assert [Path(warning.filename) for warning in caught] == [Path(__file__)] * 2


def test_only_false_switches_verification_off() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (True, "ca.pem", None, 0):
            warn_unverified(value)
    with pytest.warns(EigenpalInsecureWarning, match=r"verify_ssl='path/to/ca\.pem'"):
        warn_unverified(False)


# ---------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("seconds", "checked"), [(None, None), (math.inf, None), (5, 5.0), (0.001, 0.001), (1e300, 1e300)]
)
def test_a_timeout_is_a_positive_number_or_no_bound(seconds: Any, checked: float | None) -> None:
    assert resolve(timeout_seconds=seconds).timeout_seconds == checked
    assert resolve().replaced(timeout_seconds=seconds).timeout_seconds == checked


@pytest.mark.parametrize(
    "seconds", [0, -1, -0.0, math.nan, -math.inf, True, False, "5", b"5", Decimal(5), [5], object()]
)
def test_a_timeout_that_makes_no_sense_is_refused(seconds: Any) -> None:
    with pytest.raises(EigenpalInputError, match="^timeout_seconds must be a number of seconds above 0, or None"):
        resolve(timeout_seconds=seconds)
    with pytest.raises(EigenpalInputError, match="^timeout_seconds "):
        resolve().replaced(timeout_seconds=seconds)
    with pytest.raises(EigenpalInputError, match="^poll_interval_seconds "):
        checked_timeout(seconds, "poll_interval_seconds")


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_retries_are_counted_from_zero(count: int) -> None:
    assert resolve(max_retries=count).max_retries == count


@pytest.mark.parametrize("count", [-1, 1.0, math.nan, True, False, None, "3", Decimal(3)])
def test_a_number_of_retries_that_makes_no_sense_is_refused(count: Any) -> None:
    with pytest.raises(EigenpalInputError, match="^max_retries must be a whole number, 0 or more; got "):
        resolve(max_retries=count)
    with pytest.raises(EigenpalInputError, match="^max_retries "):
        resolve().replaced(max_retries=count)


# ------------------------------------------------------------------------------------------------ copies and secrets


def test_a_changed_copy_leaves_the_first_as_it_was() -> None:
    first = resolve(default_headers={"X-Team": "blue", "X-Kept": "1"})
    second = first.replaced(timeout_seconds=1, max_retries=0, default_headers={"X-Team": "red"})
    assert (second.timeout_seconds, second.max_retries) == (1.0, 0)
    assert second.default_headers == {"X-Team": "red", "X-Kept": "1"}
    assert (first.timeout_seconds, first.max_retries) == (60.0, 3)
    assert first.default_headers == {"X-Team": "blue", "X-Kept": "1"}
    assert second.credentials == first.credentials


def test_headers_that_change_later_do_not_change_the_options() -> None:
    headers = {"X-Team": "blue"}
    options = resolve(default_headers=headers)
    headers["X-Team"] = "bad\n"
    assert options.default_headers == {"X-Team": "blue"}


def test_options_never_show_the_key_or_a_header() -> None:
    options = resolve(default_headers={"Proxy-Authorization": "Basic hunter2"})
    for text in (repr(options), str(options), f"{options}", repr({"options": options}), f"{options.credentials!s:>20}"):
        assert KEY not in text
        assert "hunter2" not in text
    assert repr(AsyncEigenpalClient(KEY)).count(KEY) == 0


def test_a_secret_is_not_pickled_nor_copied_by_mistake() -> None:
    secret = Secret(KEY)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="read the key again") as caught:
            attempt(secret)
        assert KEY not in str(caught.value)
    assert not hasattr(secret, "__dict__")


def test_secrets_compare_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


@given(st.text(), st.text(), st.integers())
def test_any_options_are_taken_or_refused_by_their_own_error(key: str, address: str, retries: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EigenpalInsecureWarning)
        with contextlib.suppress(EigenpalInputError):
            assert resolve(api_key=key, base_url=address, max_retries=retries).base_url.lower().startswith("http")
