"""What the doctor finds: pure functions from settings to findings."""

from authx.cli.findings.cookies import cookie_findings, location_findings
from authx.cli.findings.finding import Finding, Severity, Surroundings
from authx.cli.findings.identity import answer_findings, name_findings, variable_findings
from authx.cli.findings.keys import key_findings
from authx.cli.findings.lifetimes import lifetime_findings
from authx.cli.findings.revocation import revocation_findings
from authx.config import AuthXConfig

__all__ = ["Finding", "Severity", "Surroundings", "of_config", "variable_findings"]


def of_config(config: AuthXConfig, surroundings: Surroundings) -> list[Finding]:
    """Look at settings.

    Args:
        config: The settings.
        surroundings: What surrounds them.

    Returns:
        What was found; nothing but notes where all is well.
    """
    return [
        *key_findings(config),
        *location_findings(config),
        *cookie_findings(config),
        *lifetime_findings(config, surroundings),
        *revocation_findings(config, surroundings),
        *name_findings(config),
        *answer_findings(config),
    ]
