"""Addresses of the console."""

from django.urls import path

from . import (
    devices,
    editions,
    held,
    importing,
    left,
    legal,
    live,
    overview,
    registry,
    replays,
    staff,
    studio,
    tokens,
    views,
)
from .acts import ON_LETTERS, ON_MEASURES, ON_REPORTS

app_name = "console"
urlpatterns = [
    path("", views.home, name="home"),
    path("live", live.live, name="live"),
    path("numbers", views.numbers, name="numbers"),
    path("overview", overview.overview, name="overview"),
    path("wall", overview.wall, name="wall"),
    path("search", views.search, name="search"),
    path("inbox", views.inbox, name="inbox"),
    path("cases", views.cases, name="cases"),
    path("cases/many", views.many, name="many"),
    path("cases/many/<int:id>/undo", views.undo_many, name="undo_many"),
    path("views", views.keep_view, name="keep_view"),
    path("levels", views.levels, name="levels"),
    path("cases/<str:key>", views.case, name="case"),
    path("cases/<str:key>/peek", views.peek, name="peek"),
    path("cases/<str:key>/<slug:action>", views.act, name="act"),
    path("reports", views.reports, name="reports"),
    path("sightings", views.sightings, name="sightings"),
    path("sightings/decide", left.decide, name="sightings_decide"),
    path("reports/<str:key>", views.report, name="report"),
    path("reports/<str:key>/studio", studio.studio, name="studio"),
    path("evidence/<str:digest>", views.raw_evidence, name="raw_evidence"),
    path("letters/<str:key>", views.letter, name="letter"),
    path("customers", registry.customers, name="customers"),
    path("customers/add", registry.add, name="customer_add"),
    path("customers/<str:key>", registry.customer, name="customer"),
    path("customers/<str:key>/<slug:action>", registry.act, name="customer_act"),
    path("held", held.held, name="held"),
    path("import", importing.import_file, name="import"),
    path("changes", registry.changes, name="changes"),
    path("changes/<str:key>/undo", registry.undo, name="undo"),
    path("admissions", registry.admissions, name="admissions"),
    path("admissions/<str:key>/decide", registry.decide, name="admission_decide"),
    path("measures", views.measures, name="measures"),
    path("measures/<str:key>", views.measure, name="measure"),
    path("devices", devices.devices, name="devices"),
    path("devices/<str:name>", devices.device, name="device"),
    path("devices/<str:name>/<slug:action>", devices.act, name="device_act"),
    path("policy", views.policy, name="policy"),
    path("policy/replay", replays.replay, name="replay"),
    path("policy/shadow", replays.shadow, name="shadow"),
    path("editions", editions.editions, name="editions"),
    path("editions/<str:id>/<slug:action>", editions.step, name="edition_step"),
    path("record", views.record, name="record"),
    path("sealed", views.sealed, name="sealed"),
    path("legal", legal.register, name="legal"),
    path("legal/enter", legal.enter, name="legal_enter"),
    path("legal/<str:key>", legal.matter, name="matter"),
    path("legal/<str:key>/hand-over", legal.hand_over, name="matter_hand_over"),
    path("legal/<str:key>/<slug:action>", legal.act, name="matter_act"),
    path("health", views.health, name="health"),
    path("tokens", tokens.tokens, name="tokens"),
    path("tokens/make", tokens.make, name="token_make"),
    path("tokens/<str:key>/revoke", tokens.revoke, name="token_revoke"),
    path("staff", staff.staff, name="staff"),
    path("staff/add", staff.add, name="staff_add"),
    path("staff/<int:id>", staff.change, name="staff_change"),
]
_NAMES = {
    "again": "send_again",
    "arrived": "did_arrive",
    "agree": "second_prolonging",
    "taken-as-lifted": "take_as_lifted",
}
urlpatterns += [
    path(f"{kind}s/<str:key>/{name}", views.act_on(kind, act), name=_NAMES.get(name, name.replace("-", "_")))
    for kind, acts in (("report", ON_REPORTS), ("letter", ON_LETTERS), ("measure", ON_MEASURES))
    for name, act in acts.items()
]
