"""The end of accepted jobs: cancelled by their owners or awaited, and then counted."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import httpx

from tests.tools.soak.judgement import ENDED
from tests.tools.soak.target import Target

PATIENCE = 150.0  # seconds
PAGE = 200
AT_ONCE = 8


async def settle(target: Target, accepted: Sequence[tuple[str, str]], cancels: bool) -> Counter[str]:
    """How the jobs ended; what has not is counted under the state that it is in, or as lost."""
    states: Counter[str] = Counter()
    for caller in sorted({caller for caller, _ in accepted}):
        ids = [id_ for owner, id_ in accepted if owner == caller]
        headers = {"Authorization": f"Bearer {target.keys[caller]}"}
        async with httpx.AsyncClient(base_url=target.url, headers=headers, timeout=60) as client:
            if cancels:
                await _cancel(client, ids)
            states += Counter(await _ends(client, ids))
    return states


async def _cancel(client: httpx.AsyncClient, ids: Sequence[str]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def cancel(id_: str) -> None:
        async with places:
            for _ in range(5):
                with suppress(httpx.HTTPError):
                    if (await client.post(f"/visualize/{id_}/cancel")).status_code == 200:
                        return
                await asyncio.sleep(1)

    await asyncio.gather(*(cancel(id_) for id_ in ids))


async def _ends(client: httpx.AsyncClient, ids: Sequence[str]) -> list[str]:
    deadline = time.monotonic() + PATIENCE
    while True:
        found = ["unknown"] * len(ids)
        with suppress(httpx.HTTPError):
            states = await _listed(client)
            found = [states.get(id_, "lost") for id_ in ids]
        if all(state.partition(":")[0] in ENDED for state in found) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.5)


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
