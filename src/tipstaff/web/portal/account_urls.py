"""Addresses of a customer's people who are logged in."""

from django.urls import path

from . import account, company, standing, webhooks

app_name = "account"
urlpatterns = [
    path("", account.home, name="home"),
    path("log-in", account.log_in, name="log_in"),
    path("log-out", account.log_out, name="log_out"),
    path("enter/<str:token>", account.enter, name="enter"),
    path("passkey", account.passkey, name="passkey"),
    path("company", company.begin, name="company"),
    path("company/back", company.back, name="company_back"),
    path("company/second", company.second, name="company_second"),
    path("cases/<str:key>", account.case, name="case"),
    path("cases/<str:key>/pass-on", account.pass_on, name="pass_on"),
    path("cases/<str:key>/pass-on/<int:id>/end", account.end_forward, name="end_forward"),
    path("contact/<str:token>", account.agree, name="agree"),
    path("key/<str:token>", account.show_key, name="show_key"),
    path("people/<str:customer>/key", account.set_key, name="set_key"),
    path("tokens", account.keys, name="keys"),
    path("webhooks/<str:customer>", webhooks.webhooks, name="webhooks"),
    path("webhooks/<str:customer>/make", webhooks.make, name="webhook_make"),
    path("webhooks/<str:customer>/<str:key>", webhooks.webhook, name="webhook"),
    path("webhooks/<str:customer>/<str:key>/<str:action>", webhooks.act, name="webhook_act"),
    path("brand/<str:customer>", account.brand, name="brand"),
    path("people/<str:customer>/contacts", account.set_contact, name="set_contact"),
    path("check/<str:customer>", standing.check, name="check"),
    path("check/<str:customer>/say", standing.say_so, name="check_say"),
    path("people/<str:customer>", account.people, name="people"),
    path("people/<str:customer>/invite", account.invite, name="invite"),
    path("people/<str:customer>/<int:id>/let-out", account.let_out, name="let_out"),
]
