"""A header application whose `/docs` needs nothing from other hosts: Swagger UI's files are served by itself."""

from importlib.resources import files

from fastapi import Depends, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles

from authx import AuthX, AuthXConfig

SECRET = "the secret of a header application in a test"


def make_auth() -> AuthX:
    return AuthX(config=AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["headers"]))


def make_app() -> FastAPI:
    app = FastAPI(docs_url=None)
    auth = make_auth()
    auth.handle_errors(app)
    app.mount("/static", StaticFiles(directory=str(files("fastapi_offline") / "static")))

    @app.get("/docs", include_in_schema=False)
    def docs():
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="docs",
            swagger_js_url="/static/swagger-ui-bundle.js",
            swagger_css_url="/static/swagger-ui.css",
            swagger_favicon_url="/static/favicon.png",
        )

    @app.get("/protected", dependencies=[Depends(auth.access_token_required)])
    def protected():
        return {"message": "You have access"}

    return app
