"""Tokens that their own maker refuses, answers that front ends do not understand, names that nobody reads."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from authx.cli.findings.finding import Finding, setting
from authx.config import AuthXConfig

__all__ = ["answer_findings", "name_findings", "variable_findings"]


def name_findings(config: AuthXConfig) -> Iterator[Finding]:
    """Look for issuers and audiences that do not fit together.

    Args:
        config: The settings.

    Yields:
        What does not.
    """
    made, expected = _names(config.JWT_ENCODE_AUDIENCE), _names(config.JWT_DECODE_AUDIENCE)
    if made and not made & expected:
        yield Finding(
            "warning",
            "audience-refused",
            "Tokens are made for JWT_ENCODE_AUDIENCE, and none of its names is in JWT_DECODE_AUDIENCE.",
            "This application refuses the tokens that it makes, its refresh tokens among them.",
            f"add one of them to JWT_DECODE_AUDIENCE: {', '.join(sorted(made))}",
        )
    elif expected and not made:
        yield Finding(
            "info",
            "audience-missing",
            "JWT_DECODE_AUDIENCE is set, and JWT_ENCODE_AUDIENCE is not.",
            "Tokens that this application makes have no audience, and it refuses them; those of others pass.",
            setting("JWT_ENCODE_AUDIENCE", min(expected)) + ", where it makes tokens for itself",
        )
    if config.JWT_DECODE_ISSUER and config.JWT_ENCODE_ISSUER and config.JWT_DECODE_ISSUER != config.JWT_ENCODE_ISSUER:
        yield Finding(
            "warning",
            "issuer-refused",
            "JWT_ENCODE_ISSUER and JWT_DECODE_ISSUER differ.",
            "This application refuses the tokens that it makes, its refresh tokens among them.",
            setting("JWT_DECODE_ISSUER", config.JWT_ENCODE_ISSUER),
        )
    elif config.JWT_DECODE_ISSUER and not config.JWT_ENCODE_ISSUER:
        yield Finding(
            "info",
            "issuer-missing",
            "JWT_DECODE_ISSUER is set, and JWT_ENCODE_ISSUER is not.",
            "Tokens that this application makes have no issuer, and it refuses them; those of others pass.",
            setting("JWT_ENCODE_ISSUER", config.JWT_DECODE_ISSUER) + ", where it makes tokens for itself",
        )


def _names(names: str | Iterable[str] | None) -> set[str]:
    return {names} if isinstance(names, str) and names else set(names or ())


def answer_findings(config: AuthXConfig) -> Iterator[Finding]:
    """Look at what refused requests are answered with.

    Args:
        config: The settings.

    Yields:
        What front ends should know.
    """
    if config.JWT_ERROR_STATUS == "authx":
        yield Finding(
            "info",
            "answers-as-authx",
            'JWT_ERROR_STATUS is "authx": an expired token is answered with 422, and without code and action.',
            "Front ends cannot tell from the body whether to refresh, to log in or to try later.",
            setting("JWT_ERROR_STATUS", "rfc") + ", once they go by code and action",
        )


def variable_findings(names: Iterable[str]) -> Iterator[Finding]:
    """Look for environment variables that are settings but for a letter.

    Args:
        names: The names of all variables; their values are not asked for.

    Yields:
        What has no effect.
    """
    known = list(AuthXConfig.model_fields)
    for name in sorted(names):
        if not name.upper().startswith("JWT_") or name.upper() in known:
            continue
        close = get_close_matches(name.upper(), known, 1, 0.85) or _begun(name.upper(), known)
        if close:
            yield Finding(
                "warning",
                "variable-unknown",
                f"The environment has {name}, which is no setting.",
                "It has no effect, and the setting that may be meant keeps its default.",
                f"call it {close[0]}, if that is meant",
            )


def _begun(name: str, known: list[str]) -> list[str]:
    """Find the only setting whose name goes on where this one ends: `JWT_SECRET`."""
    longer = [setting for setting in known if setting.startswith(f"{name}_")]
    return longer if len(longer) == 1 else []
