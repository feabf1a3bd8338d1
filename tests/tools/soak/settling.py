"""The end of accepted jobs: cancelled by their owners or awaited, and then counted."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import httpx

from tests.tools.soak.judgement import ENDED
from tests.tools.soak.target import ABUSERS, NEIGHBOUR, Target

PATIENCE = 150.0  # seconds
PAGE = 200
AT_ONCE = 8


async def settle(target: Target, accepted: Sequence[tuple[str, str]], cancels: bool) -> Counter[str]:
    """How the jobs ended; what has not is counted under the state that it is in, or as lost.

    Of the abusers' jobs those are settled too whose answer they did not wait for.
    """
    states: Counter[str] = Counter()
    for caller in (*ABUSERS, NEIGHBOUR):
        ids = [id_ for owner, id_ in accepted if owner == caller]
        headers = {"Authorization": f"Bearer {target.keys[caller]}"}
        async with httpx.AsyncClient(base_url=target.url, headers=headers, timeout=60) as client:
            ends = await _ends(client, ids, cancels)
        states += Counter(ends.get(id_, "lost") for id_ in ids)
    return states


async def _ends(client: httpx.AsyncClient, ids: Sequence[str], cancels: bool) -> dict[str, str]:
    """The states of all jobs of the caller once they have ended, or when patience has."""
    deadline = time.monotonic() + PATIENCE
    states: dict[str, str] = {}
    while True:
        with suppress(httpx.HTTPError):
            states = await _listed(client)
            unfinished = [id_ for id_, state in states.items() if state.partition(":")[0] not in ENDED]
            if not unfinished and all(id_ in states for id_ in ids):
                return states
            if cancels:
                await _cancel(client, unfinished)
        if time.monotonic() > deadline:
            return states
        await asyncio.sleep(0.5)


async def _cancel(client: httpx.AsyncClient, ids: Sequence[str]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def cancel(id_: str) -> None:
        async with places:
            with suppress(httpx.HTTPError):
                await client.post(f"/visualize/{id_}/cancel")

    await asyncio.gather(*(cancel(id_) for id_ in ids))


async def _listed(client: httpx.AsyncClient) -> dict[str, str]:
    """The states of all jobs of the caller; of failed ones with the reason."""
    states: dict[str, str] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get("/visualize", params={"limit": PAGE, "cursor": cursor})).raise_for_status().json()
        for job in page["data"]:
            states[job["id"]] = job["state"] if job["state"] != "failed" else f"failed: {job['problem']['detail']}"
        cursor = page["cursor"]
    return states
