"""A FastAPI application of many resources, for its OpenAPI document."""

import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Path, Query
from pydantic import BaseModel, Field
from sources import RESOURCES

app = FastAPI(title="Tracker", version="3.7.2", description="Projects, issues and people.")


class Owner(BaseModel):
    """The owner of a resource."""

    id: int
    login: str = Field(description="Unique name, as shown in mentions.")


class Item(BaseModel):
    """The fields of every resource."""

    id: int
    title: str = Field(max_length=200)
    state: Literal["open", "closed", "archived"] = "open"
    owner: Owner
    created_at: datetime.datetime
    labels: list[str] = []


class Page(BaseModel):
    """One page of a list."""

    items: list[Item]
    total: int
    cursor: str | None = None


def add_routes(resource: str, number: int) -> None:
    """Add the five routes of a resource."""
    one = resource.removesuffix("s")
    limit = Annotated[int, Query(ge=1, le=20 + 10 * number, description=f"Most {resource} of a page.")]
    identifier = Annotated[int, Path(description=f"Number of the {one}.")]
    token = Annotated[str | None, Header(description="Repeats of a request with the same key are answered once.")]

    @app.get(f"/{resource}", operation_id=f"list_{resource}", tags=[resource], response_model=Page)
    def list_items(limit: limit = 20, cursor: str | None = None, state: str | None = None) -> Any:
        """List one page, newest first."""

    @app.post(f"/{resource}", operation_id=f"create_{one}", tags=[resource], response_model=Item, status_code=201)
    def create(item: Item, idempotency_key: token = None) -> Any:
        """Create one and return it."""

    @app.get(f"/{resource}/{{number}}", operation_id=f"get_{one}", tags=[resource], response_model=Item)
    def get(number: identifier) -> Any:
        """Return one by its number."""

    @app.patch(f"/{resource}/{{number}}", operation_id=f"update_{one}", tags=[resource], response_model=Item)
    def update(number: identifier, item: Item) -> Any:
        """Change the given fields."""

    @app.delete(
        f"/{resource}/{{number}}",
        operation_id=f"delete_{one}",
        tags=[resource],
        status_code=204,
        deprecated=resource in {"hooks", "keys"},
    )
    def delete(number: identifier) -> None:
        """Delete one."""


for _number, _resource in enumerate(RESOURCES):
    add_routes(_resource, _number)
