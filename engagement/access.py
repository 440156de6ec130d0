"""Whether a project's key is accepted: the check before a store is added, and the doctor's."""

from typing import Any

import httpx

from engagement.answers import says_unknown_customer
from engagement.catalogs import FIELDS, ids_by_name
from schemas.failures import AccessLost, QuotaSpent, Reject, Unavailable

TIMEOUT_S = 15.0
NOBODY = "nobody@cartstream.invalid"


async def check_key(engagement_url: str, project: str, api_key_id: str, api_secret: str) -> None:
    """Engagement knows the project and accepts the key. Changes nothing: it asks for the time, which needs no permission.

    Raises AccessLost (401, 403), QuotaSpent (429), Unavailable (5xx, no answer), Reject (any other answer).
    Source: docs/facts/engagement.md 1, 2.1, 2.5
    """
    url = f"{engagement_url}/track/v2/projects/{project}/system/time"
    answer = await _answer("GET", url, (api_key_id, api_secret))
    if answer.status_code in (401, 403):
        raise AccessLost(f"Engagement refuses the API key ({answer.status_code}); check api_key_id and api_secret")
    if answer.status_code != 200 or not _says_success(answer):
        raise Reject(f"Engagement does not know the project {project} at {engagement_url} ({answer.status_code}); check both")


async def check_permission_to_read_events(engagement_url: str, project: str, api_key_id: str, api_secret: str) -> None:
    """The key has Events > Get, which deliver needs to look a consent up. Changes nothing: it asks for the events of nobody.

    Raises AccessLost without the permission, else as `check_key`. Source: docs/facts/engagement.md 1, 6
    """
    url = f"{engagement_url}/data/v2/projects/{project}/customers/events"
    answer = await _answer("POST", url, (api_key_id, api_secret), {"customer_ids": {"email_id": NOBODY}, "event_types": ["consent"]})
    if answer.status_code in (401, 403):
        raise AccessLost("the API key lacks the permission Events > Get; give it to the key's API group")
    if answer.status_code != 200 and not (answer.status_code == 404 and says_unknown_customer(answer.content)):
        raise Reject(f"Engagement answers {answer.status_code} to a question for events; check that the project has the hard id email_id")


async def check_catalogs(engagement_url: str, project: str, api_key_id: str, api_secret: str) -> str:
    """What can be said of the project's catalogs, where nothing is wrong with them. Changes nothing: it lists, writes and removes no items.

    Raises AccessLost without a permission, Reject where a catalog that is there lacks a field of ours, else as `check_key`.
    Source: docs/facts/engagement.md 1, 5
    """
    url, auth = f"{engagement_url}/data/v2/projects/{project}/catalogs", (api_key_id, api_secret)
    there = ids_by_name(_list(await _permitted("list catalogs", "GET", url, auth)))
    for name in FIELDS.keys() & there.keys():
        catalog = f"{url}/{there[name]}"
        await _permitted("Create or update catalog item", "PUT", f"{catalog}/items", auth, [])
        await _permitted("Delete catalog item", "DELETE", f"{catalog}/items/bulk-delete", auth, [])
        declared = _declared(await _permitted("list catalogs", "GET", catalog, auth))
        if declared and (missing := sorted(FIELDS[name].keys() - declared)):
            raise Reject(
                f"the catalog {name} was not made by cartstream and lacks the fields {', '.join(missing)}, so that its items are refused; "
                "rename it, and cartstream makes its own"
            )
    missing_catalogs = [name for name in FIELDS if name not in there]
    return f"{' and '.join(missing_catalogs)} will be made" if missing_catalogs else f"{' and '.join(FIELDS)} may be written"


async def _permitted(what: str, method: str, url: str, auth: tuple[str, str], body: Any = None) -> httpx.Response:
    answer = await _answer(method, url, auth, body)
    if answer.status_code in (401, 403):
        raise AccessLost(f"the API key lacks the permission Catalogs > {what}; give it to the key's API group")
    return answer


def _list(answer: httpx.Response) -> list[Any]:
    """Raises Reject for what is no list of catalogs."""
    try:
        rows = answer.json()["data"]
    except (ValueError, KeyError, TypeError):
        rows = None
    if answer.status_code != 200 or not isinstance(rows, list):
        raise Reject(f"Engagement answers {answer.status_code} to a list of catalogs; check address and project")
    return rows


def _declared(answer: httpx.Response) -> set[str]:
    """The names of a catalog's fields; none where the answer does not say."""
    try:
        return {str(field["name"]) for field in answer.json()["data"]["fields"]}
    except (ValueError, KeyError, TypeError):
        return set()


async def _answer(method: str, url: str, auth: tuple[str, str], body: Any = None) -> httpx.Response:
    try:
        async with httpx.AsyncClient(auth=auth, timeout=TIMEOUT_S) as client:
            answer = await client.request(method, url, json=body)
    except httpx.HTTPError as error:
        raise Unavailable(f"Engagement does not answer at {httpx.URL(url).host} ({type(error).__name__}); check the address") from error
    if answer.status_code == 429:
        raise QuotaSpent("Engagement's request limit is spent; try again in a minute")
    if answer.status_code >= 500:
        raise Unavailable(f"Engagement answers {answer.status_code}; try again later")
    return answer


def _says_success(answer: httpx.Response) -> bool:
    try:
        return answer.json().get("success") is True
    except (ValueError, AttributeError):
        return False
