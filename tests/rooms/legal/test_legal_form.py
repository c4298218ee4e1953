"""What the words of a notice or an order show of the form that the law asks for. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.legal.form import FORMS, looked_for
from tipstaff.policy.kinds import LegalForm

DMCA = """The copyrighted work is the photograph "Harbour at night".
It is copied without leave at http://shop.example.net/offer and shown there to everybody.
You reach me at claims@rights.example.org.
I have a good faith belief that this use is not authorised by its owner.
The information in this notice is accurate and, under penalty of perjury, I may act for the owner.
/s/ A. Claimant"""
DSA = """Die Seite http://shop.example.net/offer ist rechtswidrig, weil sie mein Geheimnis verletzt.
Name: A. Klägerin, anna@rights.example.org
Ich erkläre in gutem Glauben und nach bestem Wissen, dass diese Angaben richtig und vollständig sind."""
ORDER = """District Court of Example Town. Case No. 4 C 17/26, 4 May 2026.
Pursuant to section 12 the domain at http://shop.example.net/ is to be blocked."""
REMOVAL = """The competent authority orders under Regulation (EU) 2021/784 the removal of
https://shop.example.net/video because it glorifies terrorist offences. 4 May 2026, 12:00 UTC. Signed: the authority"""
COUNTER = """The page http://shop.example.net/offer was disabled by mistake. I declare this under penalty of perjury.
I consent to the jurisdiction of the Federal District Court. J. Doe, 1 Example Street, +1 555 0100 200
/s/ J. Doe"""
WHOLE = {
    LegalForm.DMCA_NOTICE: DMCA, LegalForm.DSA_NOTICE: DSA, LegalForm.ORDER: ORDER, LegalForm.REMOVAL_ORDER: REMOVAL,
    LegalForm.COUNTER_NOTICE: COUNTER,
}  # fmt: skip


@pytest.mark.parametrize("form", LegalForm)
def test_a_whole_notice_shows_every_element(form: LegalForm) -> None:
    assert [element.name for element, there in looked_for(form, WHOLE[form]) if not there] == []
    assert all(element.source for element in FORMS[form])
    assert form.said


@pytest.mark.parametrize(
    ("form", "left_out", "name", "source"),
    [
        (LegalForm.DMCA_NOTICE, "/s/ A. Claimant", "a signature", "512(c)(3)(A)(i)"),
        (LegalForm.DMCA_NOTICE, "claims@rights.example.org", "how to reach whoever complains", "512(c)(3)(A)(iv)"),
        (LegalForm.DMCA_NOTICE, "good faith", "the belief in good faith", "512(c)(3)(A)(v)"),
        (LegalForm.DMCA_NOTICE, "penalty of perjury", "accuracy and authority", "512(c)(3)(A)(vi)"),
        (LegalForm.DMCA_NOTICE, "http://shop.example.net/offer", "the material and its place", "512(c)(3)(A)(iii)"),
        (LegalForm.DSA_NOTICE, "http://shop.example.net/offer", "its exact place", "Article 16(2)(b)"),
        (LegalForm.DSA_NOTICE, "nach bestem Wissen", "the belief that it is accurate", "Article 16(2)(d)"),
        (LegalForm.ORDER, "4 May 2026", "its date", ""),
        (LegalForm.ORDER, "District Court", "who orders it", ""),
        (LegalForm.COUNTER_NOTICE, "/s/ J. Doe", "a signature", "512(g)(3)(A)"),
        (LegalForm.COUNTER_NOTICE, "http://shop.example.net/offer", "the material and where it was", "512(g)(3)(B)"),
        (LegalForm.COUNTER_NOTICE, "penalty of perjury", "under penalty of perjury", "512(g)(3)(C)"),
        (LegalForm.COUNTER_NOTICE, "+1 555 0100 200", "a telephone number", "512(g)(3)(D)"),
        (LegalForm.COUNTER_NOTICE, "jurisdiction", "the consent to a court", "512(g)(3)(D)"),
        (LegalForm.REMOVAL_ORDER, "2021/784", "the Regulation as its legal basis", "Article 3(4)"),
        (LegalForm.REMOVAL_ORDER, "https://shop.example.net/video", "the exact URL", "Article 3(4)"),
    ],
)
def test_what_is_left_out_is_named_with_its_provision(form: LegalForm, left_out: str, name: str, source: str) -> None:
    words = WHOLE[form]
    assert left_out in words
    [element] = [element for element, there in looked_for(form, words.replace(left_out, "")) if not there]
    assert element.name.startswith(name)
    assert source in element.source


@given(st.text(max_size=300))
def test_any_words_have_an_answer_for_every_element(words: str) -> None:
    for form in LegalForm:
        assert len(list(looked_for(form, words))) == len(FORMS[form])
