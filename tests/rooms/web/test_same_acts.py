"""What the console does, the API does, under the same abilities: every address of the console has its operations here,
or a reason why it is the console's alone. A new page or act fails this until it says which."""

from tipstaff.web.api.auth import Staff
from tipstaff.web.api.urls import api
from tipstaff.web.console.actions import ACTIONS
from tipstaff.web.console.acts import ON_LETTERS, ON_MEASURES, ON_REPORTS
from tipstaff.web.console.devices import DEVICE_ACTS, DRIVER_ACTS
from tipstaff.web.console.editions import STEPS
from tipstaff.web.console.filters import ON_FILTERS
from tipstaff.web.console.legal import ON_MATTERS
from tipstaff.web.console.registry import ACTIONS as ON_CUSTOMERS
from tipstaff.web.console.staff import CHANGES
from tipstaff.web.console.urls import urlpatterns
from tipstaff.web.console.webhooks import ACTS as ON_WEBHOOKS
from tipstaff.web.roles import Ability

OTHER_NAMES = {"again": "send_again", "arrived": "did_arrive"}
SAME = {
    "numbers": ["GET /inbox"],
    "overview": ["GET /figures"],
    "wall": ["GET /figures", "GET /inbox"],
    "search": ["GET /search"],
    "inbox": ["GET /inbox"],
    "cases": ["GET /cases", "GET /views"],
    "many": ["POST /cases/many"],
    "undo_many": ["POST /cases/many/{number}/undo"],
    "keep_view": ["POST /views", "DELETE /views/{number}"],
    "levels": ["GET /cases/late"],
    "case": ["GET /cases/{key}", "GET /cases/{key}/notes", "GET /cases/{key}/incidents", "GET /cases/{key}/history",
             "GET /cases/{key}/letters"],
    "peek": ["GET /cases/{key}/history"],
    "act": [f"POST /cases/{{key}}/{action}" for action in ACTIONS],
    "reports": ["GET /reports"],
    "report": ["GET /reports/{key}"],
    **{name.replace("-", "_"): [f"POST /reports/{{key}}/{name}"] for name in ON_REPORTS},
    "sightings": ["GET /sightings", "GET /sightings/{key}"],
    "sightings_decide": ["POST /sightings/decide"],
    "raw_evidence": ["GET /evidence/{key}"],
    "framed_evidence": ["GET /evidence/{key}"],
    "letter": ["GET /letters/{key}"],
    **{OTHER_NAMES.get(name, name): [f"POST /letters/{{key}}/{name}"] for name in ON_LETTERS},
    "accountability": ["GET /accountability"],
    "customers": ["GET /registry/customers"],
    "customer": ["GET /registry/customers/{key}", "GET /registry/resources"],
    "customer_add": ["PUT /registry/customers/{key}"],
    "held": ["GET /registry/holdings", "POST /attribute"],
    "import": ["POST /registry/import"],
    "changes": ["GET /registry/changes"],
    "undo": ["POST /registry/changes/{key}/undo"],
    "admissions": ["GET /registry/admissions"],
    "admission_decide": ["POST /registry/admissions/{key}/decide"],
    "measures": ["GET /measures"],
    "measure": ["GET /measures/{key}"],
    "lift": ["POST /measures/{key}/lift"],
    "prolong": ["POST /measures/{key}/prolong"],
    "second_prolonging": ["POST /measures/{key}/agree"],
    "take_as_lifted": ["POST /measures/{key}/taken-as-lifted"],
    "driver": ["GET /devices"],
    "driver_act": [f"POST /drivers/{{name}}/{action}" for action in DRIVER_ACTS],
    "filters": ["GET /filters"],
    "filter_propose": ["POST /filters"],
    "filter": ["GET /filters/{key}"],
    **{f"filter_{act}": [f"POST /filters/{{key}}/{act}"] for act in ON_FILTERS},
    "devices": ["GET /devices"],
    "device": ["GET /devices/{name}"],
    "device_act": [f"POST /devices/{{name}}/{action}" for action in DEVICE_ACTS],
    "editions": ["GET /editions", "GET /editions/{key}"],
    "edition_step": [f"POST /editions/{{key}}/{step}" for step in STEPS],
    "replay": ["GET /editions/{key}/replay"],
    "replay_begin": ["POST /editions/{key}/replay"],
    "shadow": ["GET /shadow"],
    "studio": ["GET /reports/{key}/profile", "POST /reports/{key}/profile"],
    "print_letter": ["POST /letters/{key}/print"],
    "tokens": ["GET /tokens"],
    "token_make": ["POST /tokens"],
    "token_revoke": ["DELETE /tokens/{key}"],
    "staff": ["GET /staff"],
    "staff_add": ["POST /staff"],
    "staff_change": [f"POST /staff/{{number}}/{do}" for do in CHANGES],
    "record": ["GET /record"],
    "sealed": ["GET /sealed"],
    "legal": ["GET /legal"],
    "legal_enter": ["POST /legal"],
    "clocks": ["GET /clocks"],
    "clock_told": ["POST /clocks/told"],
    "clock_end": ["POST /clocks/end"],
    "harbour": ["GET /legal/harbour"],
    "harbour_note": ["POST /legal/harbour"],
    "harbour_rely": ["POST /legal/harbour/rely"],
    "counter_notice": ["POST /legal/counter-notices"],
    "matter": ["GET /legal/{key}"],
    "matter_act": [f"POST /legal/{{key}}/{action}" for action in ON_MATTERS],
    "matter_hand_over": ["POST /legal/{key}/hand-over"],
    "health": ["GET /health"],
    "webhooks": ["GET /webhooks"],
    "webhook": ["GET /webhooks/{key}", "GET /webhooks/{key}/dispatches"],
    "webhook_make": ["POST /webhooks"],
}  # fmt: skip
"""Address of the console -> the operations that do the same."""
CUSTOMERS = {
    "save": "PUT /registry/customers/{key}",
    "standing": "POST /registry/customers/{key}/standing",
    "contacts": "PUT /registry/customers/{key}/representatives",
    "keys": "PUT /registry/customers/{key}/representatives",
    "reached": "POST /registry/customers/{key}/reached",
    "service": "PUT /registry/services/{key}",
    "hold": "POST /registry/holdings",
    "resource": "POST /registry/resources",
    "site": "POST /registry/sites",
    "end": "POST /registry/holdings/{number}/end",
    "end_service": "POST /registry/services/{key}/end",
    "user": "PUT /registry/users/{key}",
    "letter": "POST /registry/letters",
    "transfer": "POST /registry/holdings/{number}/transfer",
    "accept": "POST /registry/customers/{key}/acceptances",
    "portal": "POST /registry/customers/{key}/forget-log-in",
}
WEBHOOKS = {
    "switch": "POST /webhooks/{key}/switch",
    "try": "POST /webhooks/{key}/try",
    "again": "POST /webhooks/{key}/dispatches/{number}/again",
    "forget": "DELETE /webhooks/{key}",
}
ALONE = {
    "home": "it only leads on",
    "live": "programs are told by webhooks",
    "policy": "/policy.json and /policy/EDITION.json are everybody's, without a token",
}
"""Address of the console -> why no operation does the same (decisions 0167 and 0194)."""
STEPS_WITH_OWN_ABILITIES = {"act", "edition_step", "matter_act", "sightings_decide"}


def operations() -> dict[str, Ability | None]:
    return {
        f"{method} {prefix}{path}": next((g.ability for g in operation.auth_callbacks if isinstance(g, Staff)), None)
        for prefix, router in api._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    }


def test_every_address_of_the_console_has_its_operations_or_a_reason() -> None:
    names = {str(pattern.name) for pattern in urlpatterns}
    assert names - {"customer_act", "webhook_act"} == SAME.keys() | ALONE.keys()
    assert not SAME.keys() & ALONE.keys()
    assert ON_CUSTOMERS.keys() == CUSTOMERS.keys()
    assert set(ON_WEBHOOKS) == WEBHOOKS.keys()
    assert {f"POST /letters/{{key}}/{name}" for name in ON_LETTERS} <= {x for each in SAME.values() for x in each}
    assert {f"POST /measures/{{key}}/{name}" for name in ON_MEASURES} <= {x for each in SAME.values() for x in each}


def test_each_takes_the_same_ability() -> None:
    found = operations()
    doors = {str(p.name): getattr(p.callback, "needs_ability", None) for p in urlpatterns}
    same = SAME | {"customer_act": list(CUSTOMERS.values()), "webhook_act": list(WEBHOOKS.values())}
    for name, named in same.items():
        for operation in named:
            assert operation in found, (name, operation)
            if name not in STEPS_WITH_OWN_ABILITIES:
                assert found[operation] is doors[name], (name, operation)
    for action, act in ACTIONS.items():
        assert found[f"POST /cases/{{key}}/{action}"] is act.ability
    for step, (ability, _) in STEPS.items():
        assert found[f"POST /editions/{{key}}/{step}"] is ability
    for action, step_ in ON_MATTERS.items():
        assert found[f"POST /legal/{{key}}/{action}"] is step_.ability
