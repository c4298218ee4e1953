"""Addresses of the console."""

from django.urls import path

from . import editions, replays, staff, views

app_name = "console"
urlpatterns = [
    path("", views.home, name="home"),
    path("numbers", views.numbers, name="numbers"),
    path("search", views.search, name="search"),
    path("inbox", views.inbox, name="inbox"),
    path("cases", views.cases, name="cases"),
    path("cases/<str:key>", views.case, name="case"),
    path("cases/<str:key>/peek", views.peek, name="peek"),
    path("cases/<str:key>/<slug:action>", views.act, name="act"),
    path("reports", views.reports, name="reports"),
    path("reports/<str:key>", views.report, name="report"),
    path("reports/<str:key>/set-aside", views.set_aside, name="set_aside"),
    path("reports/<str:key>/seal", views.seal, name="seal"),
    path("reports/<str:key>/read-as", views.read_as, name="read_as"),
    path("evidence/<str:digest>", views.raw_evidence, name="raw_evidence"),
    path("letters/<str:key>", views.letter, name="letter"),
    path("letters/<str:key>/again", views.send_again, name="send_again"),
    path("letters/<str:key>/arrived", views.did_arrive, name="did_arrive"),
    path("customers", views.customers, name="customers"),
    path("customers/<str:key>", views.customer, name="customer"),
    path("measures", views.measures, name="measures"),
    path("measures/<str:key>", views.measure, name="measure"),
    path("measures/<str:key>/lift", views.lift, name="lift"),
    path("measures/<str:key>/taken-as-lifted", views.take_as_lifted, name="take_as_lifted"),
    path("policy", views.policy, name="policy"),
    path("editions", editions.editions, name="editions"),
    path("editions/<str:id>/<slug:action>", editions.step, name="edition_step"),
    path("policy/replay", replays.replay, name="replay"),
    path("policy/shadow", replays.shadow, name="shadow"),
    path("record", views.record, name="record"),
    path("sealed", views.sealed, name="sealed"),
    path("health", views.health, name="health"),
    path("staff", staff.staff, name="staff"),
    path("staff/add", staff.add, name="staff_add"),
    path("staff/<int:id>", staff.change, name="staff_change"),
]
