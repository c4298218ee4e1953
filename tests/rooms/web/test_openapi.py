"""The document of the API is true: whatever it lets one send is answered as it says, and never with a failure of ours.

A short run, always the same one; `make live` takes a longer one with other requests each time.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

import hypothesis
import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from tipstaff import wiring
from tipstaff.cases.queries import list_cases
from tipstaff.registry.queries import representatives_of
from tipstaff.web.models import PortalPerson
from tipstaff.web.portal import tokens
from tipstaff.web.roles import give_roles
from tipstaff.web.tokens import SCOPES, make_token
from tipstaff.words import CaseState, Role

REFUSALS = ["401", "403", "404", "409", "412", "413", "422", "428"]
"""What is of the right form may still be refused: there is no such case, or somebody was first."""


@pytest.fixture
def api_schema(day: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[schemathesis.BaseSchema]:
    """The API as it is served, asked by a token that may do everything, as fast as it likes."""
    own = wiring.settings()
    monkeypatch.setattr(
        wiring, "settings", lambda: replace(own, api=replace(own.api, token_a_minute=0, address_a_minute=0))
    )
    user = User.objects.create(username="probe")
    give_roles(user, frozenset({Role.LEAD, Role.COUNSEL, Role.ENGINEER}))
    _, token = make_token("probe", owner="probe", scopes=SCOPES, days=1, at=wiring.now(), actor="probe")
    person = PortalPerson.objects.create(email=_somebodys_address(), made_at=wiring.now())
    _, own_token = tokens.make("probe", person=person, scopes=["read", "answer"], days=1, at=wiring.now())
    config = SchemathesisConfig.from_dict(
        {
            "auth": {"openapi": {"token": {"bearer": token}, "customer": {"bearer": own_token}}},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "304", *REFUSALS]},
                "negative_data_rejection": {"expected-statuses": ["400", *REFUSALS]},
                "missing_required_header": {"expected-statuses": REFUSALS},
            },
        }
    )
    # As Django's own test client does: the connection is the test's, and is not closed after a request.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/openapi.json", get_wsgi_application(), config=config)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def _somebodys_address() -> str:
    """The address of a contact whose customer was told of a case."""
    case = list_cases(states=frozenset({CaseState.NOTIFIED}))[0]
    return representatives_of(case.customer)[0].email.lower()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param(2, 1, id="short"),
        pytest.param(30, 30, id="long", marks=[pytest.mark.live, pytest.mark.thorough, pytest.mark.skipif(
            os.environ.get("TIPSTAFF_TEST_SOAK") != "1", reason="TIPSTAFF_TEST_SOAK=1 sends thousands of requests"
        )]),
    ],
)  # fmt: skip
def test_every_operation_answers_as_the_document_says(
    api_schema: schemathesis.BaseSchema, right: int, wrong: int
) -> None:
    failures = []
    for found in api_schema.get_all_operations():
        operation = found.ok()
        for mode, examples in ((GenerationMode.POSITIVE, right), (GenerationMode.NEGATIVE, wrong)):
            try:
                _try(operation, mode, examples)
            except Unsatisfiable:  # Nothing that can be sent to it would be wrong.
                assert mode is GenerationMode.NEGATIVE, operation.label
            except FailureGroup as why:
                failures.append(f"{operation.label} ({mode}): {why}")
    assert not failures, "\n\n".join(failures)


def _try(operation: schemathesis.schemas.APIOperation, mode: GenerationMode, examples: int) -> None:
    @hypothesis.settings(
        max_examples=examples, database=None, deadline=None, derandomize=examples < 10,
        suppress_health_check=list(hypothesis.HealthCheck), phases=(hypothesis.Phase.generate,),
    )  # fmt: skip
    @hypothesis.given(operation.as_strategy(mode))
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate()

    ask()
