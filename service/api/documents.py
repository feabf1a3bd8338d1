"""The pages of the API: `/docs`, `/redoc` and `/openapi.json`."""

from typing import Any

from fastapi import APIRouter, Depends, FastAPI

from service.api.access import caller


def ask_for_key(app: FastAPI) -> None:
    """Show the pages of the API to those only who have a key. What they load is Swagger UI and ReDoc, for everybody."""
    router = APIRouter(dependencies=[Depends(caller)], include_in_schema=False)
    pages = (app.openapi_url, "/docs", "/redoc")
    routes: list[Any] = [route for route in app.router.routes if getattr(route, "path", None) in pages]
    for route in routes:
        app.router.routes.remove(route)
        router.add_api_route(route.path, route.endpoint, response_model=None)
    app.include_router(router)
