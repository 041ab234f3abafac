"""The job that a path names, if it is the caller's own."""

from typing import Annotated, Any

from fastapi import Depends, Path

from farm.domain.access import Principal
from farm.domain.ids import JOB_ID
from farm.errors import NotFound
from farm.log import JOB
from serve_app.auth import Reader
from serve_app.services import Services, TheServices

_JobId = Annotated[str, Path(pattern=f"^{JOB_ID.pattern}$", examples=["job_01kawr3v00000000000000000a"])]


async def own(services: Services, who: Principal, job_id: str) -> dict[str, Any]:
    """The job, if it is this tenant's: another's does not exist for them.

    Raises:
        NotFound: otherwise.
    """
    JOB.set(job_id)
    record = await services.service.get(job_id)
    if record["tenant"] != who.tenant:
        raise NotFound(kind="job", id=job_id)
    return record


async def _own_job(services: TheServices, who: Reader, job_id: _JobId) -> dict[str, Any]:
    return await own(services, who, job_id)


OwnJob = Annotated[dict[str, Any], Depends(_own_job)]
"""The record of the job in the path, as a parameter of an operation."""
