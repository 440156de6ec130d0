"""Catalogs: docs/facts/engagement.md 5."""

from typing import Any

import pytest

FIELDS = [
    {"name": "title", "type": "string", "searchable": True},
    {"name": "description", "type": "long text"},
    {"name": "price", "type": "number"},
    {"name": "active", "type": "boolean"},
    {"name": "category_ids", "type": "list"},
]


def call(project: Any, method: str, path: str = "", body: Any = None) -> Any:
    return project.http.request(method, f"/data/v2/projects/{project.token}/catalogs{path}", json=body)


@pytest.fixture
def catalog(project: Any) -> str:
    answer = call(project, "POST", "", {"name": "products", "is_product_catalog": True, "fields": FIELDS})
    assert answer.status_code == 200
    return answer.json()["id"]


def items(project: Any) -> Any:
    project.settle()
    return project.state()["catalogs"][0]["items"]


def test_catalogs_are_listed_by_name_with_their_declared_fields(project: Any, catalog: str) -> None:
    [found] = call(project, "GET").json()["data"]
    assert (found["id"], found["name"]) == (catalog, "products")
    assert {field["name"]: field["type"] for field in call(project, "GET", f"/{catalog}").json()["data"]["fields"]}["price"] == "number"
    assert call(project, "GET", "/other").status_code == 404


def test_a_write_replaces_the_whole_item_and_a_partial_one_keeps_the_rest(project: Any, catalog: str) -> None:
    one = {"item_id": "1", "properties": {"title": "Jar", "price": 1.5}}
    assert call(project, "PUT", f"/{catalog}/items", [one]).json() == [{"success": True, "queued": True}]
    project.settle()
    call(project, "POST", f"/{catalog}/items/partial-update", [{"item_id": "1", "properties": {"price": 2}}])
    call(project, "POST", f"/{catalog}/items/partial-update", [{"item_id": "2", "properties": {"price": 2}}])
    assert items(project) == {"1": {"title": "Jar", "price": 2}}
    call(project, "PUT", f"/{catalog}/items", [{"item_id": "1", "properties": {"title": "Lid"}}])
    assert items(project) == {"1": {"title": "Lid"}}


@pytest.mark.parametrize(
    "properties", [{"colour": "red"}, {"price": "1.5"}, {"price": True}, {"active": 1}, {"title": "x" * 256}, {"category_ids": "1"}]
)
def test_a_field_that_is_not_declared_or_of_another_type_is_named_and_the_neighbours_are_stored(
    project: Any, catalog: str, properties: Any
) -> None:
    [name] = properties
    given = [{"item_id": "1", "properties": properties}, {"item_id": "2", "properties": {"title": "Lid"}}]
    first, second = call(project, "PUT", f"/{catalog}/items", given).json()
    assert first == {"success": False, "queued": False, "errors": {"properties": [f"Fields [{name}] are not properly defined."]}}
    assert second["success"]
    assert items(project) == {"2": {"title": "Lid"}}


def test_an_item_id_with_a_slash_is_refused(project: Any, catalog: str) -> None:
    [answer] = call(project, "PUT", f"/{catalog}/items", [{"item_id": "1/2", "properties": {}}]).json()
    assert not answer["success"]


def test_removed_items_are_gone_and_those_that_are_not_there_do_not_matter(project: Any, catalog: str) -> None:
    call(project, "PUT", f"/{catalog}/items", [{"item_id": str(n), "properties": {}} for n in range(3)])
    project.settle()
    answer = call(project, "DELETE", f"/{catalog}/items/bulk-delete", ["1", "9"])
    assert [result["success"] for result in answer.json()] == [True, True]
    assert items(project).keys() == {"0", "2"}


def test_too_many_items_and_no_list_are_refused(project: Any, catalog: str) -> None:
    assert call(project, "PUT", f"/{catalog}/items", [{"item_id": "1", "properties": {}}] * 5001).status_code == 400
    assert call(project, "PUT", f"/{catalog}/items", {"item_id": "1"}).status_code == 400


@pytest.mark.parametrize(("permission", "method"), [("catalogs.get", "GET"), ("catalogs.create", "POST")])
def test_permissions_are_of_their_own(project: Any, permission: str, method: str) -> None:
    project.set(keys=[{"id": "key", "secret": "secret", "denied": [permission]}])
    assert call(project, method, "", {"name": "x"}).status_code == 403
