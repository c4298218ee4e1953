"""Every address of the site, by area."""

from django.urls import include, path

from . import company
from .api.reports_in import post_reports
from .api.sightings_in import post_sightings
from .auth import first, log_in, log_out, passkey, passkey_options, second
from .portal.views import forward
from .public import agent, garden, policy
from .public import views as public
from .public.report_form import report_form

urlpatterns = [
    path("", public.landing, name="landing"),
    path("report", report_form, name="report_form"),
    path("policy", policy.policy, name="policy"),
    path("copyright-agent", agent.copyright_agent, name="copyright_agent"),
    path("policy.json", policy.policy_json, name="policy_json"),
    path("policy/<str:id>.json", policy.policy_json, name="policy_edition_json"),
    path("policy/<str:id>/changes", policy.changes, name="policy_changes"),
    path("policy/<str:id>", policy.policy, name="policy_edition"),
    path(".well-known/security.txt", public.security_txt, name="security_txt"),
    path("garden", garden.garden, name="garden"),
    path("garden/captive", garden.captive, name="captive"),
    path("health", public.health, name="health"),
    path("r/<str:token>", public.report_status, name="report_status"),
    path("account/me/", include("tipstaff.web.me.urls", namespace="account_me")),
    path("account/", include("tipstaff.web.portal.account_urls")),
    path("f/<str:token>", forward, name="forward"),
    path("p/", include("tipstaff.web.portal.urls")),
    path("login", log_in, name="log_in"),
    path("login/second", second, name="log_in_second"),
    path("login/passkey/options", passkey_options, name="passkey_options"),
    path("login/passkey", passkey, name="log_in_passkey"),
    path("login/company", company.begin, name="log_in_company"),
    path("login/company/back", company.back, name="log_in_company_back"),
    path("me/", include("tipstaff.web.me.urls")),
    path("logout", log_out, name="log_out"),
    path("first/<str:token>", first, name="first"),
    path("console/", include("tipstaff.web.console.urls")),
    path("api/reports/in", post_reports, name="post_reports"),
    path("api/sightings/in", post_sightings, name="post_sightings"),
    path("api/", include("tipstaff.web.api.urls")),
]
