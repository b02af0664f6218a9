"""One service makes tokens with a private key; another, which anybody may run, checks them with the public one.

Here both are one process: `app` serves the first at `/login` and mounts the second at `/reports`.
"""

from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fastapi import Depends, FastAPI

from authx import AuthX, AuthXConfig, TokenPayload

# In production: openssl genpkey -algorithm ed25519, and the text of the files in JWT_PRIVATE_KEY and JWT_PUBLIC_KEY.
key = Ed25519PrivateKey.generate()
private_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

ISSUER = "https://login.example.com"
AUDIENCE = "reports"

app = FastAPI(title="login")
login_auth = AuthX(
    AuthXConfig(
        JWT_ALGORITHM="EdDSA",
        JWT_PRIVATE_KEY=private_pem,
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
    )
)


@app.post("/login")
def login() -> dict[str, str]:
    """Make a token for the other service, after checking who asks."""
    return {"access_token": login_auth.create_access_token("anna", scopes=["reports:read"])}


reports = FastAPI(title="reports")
reports_auth = AuthX(
    AuthXConfig(
        JWT_ALGORITHM="EdDSA",
        JWT_PUBLIC_KEY=public_pem,
        JWT_DECODE_ISSUER=ISSUER,
        JWT_DECODE_AUDIENCE=AUDIENCE,
    )
)
reports_auth.handle_errors(reports)
may_read = reports_auth.scopes_required("reports:read")


@reports.get("/newest")
def newest(reader: Annotated[TokenPayload, Depends(may_read)]) -> dict[str, str]:
    """Show a report to who may read it."""
    return {"report": "All is well", "reader": reader.sub}


app.mount("/reports", reports)
