"""One TLS context per trust setting for the whole process: making one costs 25 ms and most of a megabyte.

Nothing here connects to anything.
"""

from __future__ import annotations

import os
import ssl
import threading

from eigenpal.engine.transport.port import TransportFailure
from eigenpal.errors import EigenpalInputError

_Trust = tuple[bool | str, str | None, str | None, bool]

_contexts: dict[_Trust, ssl.SSLContext] = {}
_making = threading.Lock()


def shared_context(verify: bool | str | ssl.SSLContext, *, trust_env: bool, http2: bool = False) -> ssl.SSLContext:
    """Return the TLS context for a trust setting, the same one each time.

    Args:
        verify: As in `TransportOptions`; a context of the user's own comes back unchanged.
        trust_env: Whether SSL_CERT_FILE and SSL_CERT_DIR replace the usual authorities when `verify` is True.
        http2: Whether HTTP/2 is offered to the server. Offers are part of a context, hence one more of them.

    Raises:
        EigenpalInputError: `verify`, or the file the environment names, holds no certificates.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    from_env = verify is True and trust_env
    cert_file = os.environ.get("SSL_CERT_FILE") or None if from_env else None
    cert_dir = os.environ.get("SSL_CERT_DIR") or None if from_env else None
    trust: _Trust = (verify, cert_file, cert_dir, http2)
    context = _contexts.get(trust)
    if context is None:
        with _making:
            context = _contexts.get(trust)
            if context is None:
                context = _contexts[trust] = _make(*trust)
    return context


def check_trust(verify: object) -> None:
    """Refuse a path where there is nothing, without the cost of reading what is there.

    Raises:
        EigenpalInputError: `verify` names no file and no directory.
    """
    if isinstance(verify, str) and not os.path.exists(verify):
        raise EigenpalInputError(f"verify names {verify!r}, which does not exist. Give a PEM file or a directory.")


def _make(verify: bool | str, cert_file: str | None, cert_dir: str | None, http2: bool) -> ssl.SSLContext:
    if verify is False:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif isinstance(verify, str):
        context = _trusting(verify, named="verify")
    elif cert_file:
        context = _trusting(cert_file, named="SSL_CERT_FILE")
    elif cert_dir:
        context = _trusting(cert_dir, named="SSL_CERT_DIR")
    else:
        context = ssl.create_default_context(cafile=_authorities())
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    return context


def _trusting(path: str, *, named: str) -> ssl.SSLContext:
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        reason = "holds no PEM certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise EigenpalInputError(
            f"{named} names {path!r}, which {reason}. Give a PEM file or a directory of certificates."
        ) from None


def _authorities() -> str | None:
    """The bundle httpx trusts; without it, None, which means the trust store OpenSSL was built with."""
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()


_ADVICE = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS on this port; is it plain http?",
    "HTTP_REQUEST": "it does not speak TLS on this port; is it plain http?",
    "RECORD_LAYER_FAILURE": "it does not speak TLS on this port; is it plain http?",
}


def tls_failure(error: BaseException, host: str | None) -> TransportFailure:
    """Describe a handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = f"the certificate of {host} is not trusted: {error.verify_message}"
    elif isinstance(error, ssl.SSLError) and error.reason:
        advice = _ADVICE.get(error.reason, error.reason.replace("_", " ").lower())
        detail = f"no secure connection to {host}: {advice}"
    else:
        detail = f"no secure connection to {host}: it closed the connection during the handshake"
    return TransportFailure("tls", sent=False, detail=detail)
