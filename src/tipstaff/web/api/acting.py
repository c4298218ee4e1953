"""Acts by the API: the console's own tables, with JSON in place of forms, and refusals as problems."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from django.http import HttpRequest, HttpResponse, QueryDict
from ninja import Router, Schema
from pydantic import Field, create_model

from tipstaff import wiring
from tipstaff.procedures.filtering import NotAFilter
from tipstaff.procedures.other_ways import NotSaid
from tipstaff.procedures.refusals import (
    AnotherMustAgree,
    AnswerTooLong,
    NoSuchCase,
    NoSuchColleague,
    NoSuchFilter,
    NoSuchLetter,
    NoSuchMeasure,
    NoSuchReport,
    NotInOrder,
    NotInThisCase,
    NotThen,
    NotYourDecision,
    OwnDecision,
    SecondMustBeAnother,
    StaleCase,
    TooManyTags,
)

from ..console.actions import MissingWords, NoSuchAnswer, NoSuchGround, NoSuchTime
from ..console.acts import Act, Given
from ..console.corrections import BadCorrection
from ..console.views import REFUSED, why_refused
from ..roles import Ability
from .auth import Able
from .pages import IfMatch, etag_of, plain, seen
from .problems import Problem

_T = TypeVar("_T")
_STATUS: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((NoSuchCase, NoSuchFilter, NoSuchLetter, NoSuchMeasure, NoSuchReport), 404),
    ((AnotherMustAgree, NotYourDecision, OwnDecision, SecondMustBeAnother), 403),
    (
        (MissingWords, NoSuchAnswer, NoSuchGround, NoSuchTime, NoSuchColleague, NotInOrder, NotInThisCase, NotThen,
         TooManyTags, AnswerTooLong, BadCorrection, NotSaid, NotAFilter),
        422,
    ),
    (REFUSED, 409),
)  # fmt: skip


def doing(run: Callable[[], _T]) -> _T:
    """Run it; a refusal is a problem with the sentence that the console would show. StaleCase is the caller's."""
    try:
        return run()
    except StaleCase:
        raise
    except REFUSED as refusal:
        status = next(status for kinds, status in _STATUS if isinstance(refusal, kinds))
        raise Problem(status, why_refused(refusal)) from refusal


def form_of(asked: Schema) -> QueryDict:
    """What a program sent, as the console's form would send it: unset fields and a false tick are not there."""
    form = QueryDict(mutable=True)
    for name, value in asked.model_dump(mode="json").items():
        if value is None or value is False:
            continue
        if name == "add":
            form[name] = " ".join(value).replace("\x00", "")
        elif isinstance(value, list):
            form.setlist(name, [str(one).replace("\x00", "") for one in value])
        else:
            form[name] = str(value).replace("\x00", "")
    return form


def shape_of(kind: str, name: str, fields: Mapping[str, Any]) -> type[Schema]:
    """The schema of what an act takes, under a name of its own."""
    return create_model(f"{kind}{name.title().replace('-', '')}In", __base__=Schema, **fields)


def add_acts(
    router: Router,
    kind: Literal["report", "letter", "measure"],
    acts: Mapping[str, Act],
    fields: Mapping[str, Mapping[str, Any]],
    *,
    out: type[Schema],
    find: Callable[[str], Schema],
) -> None:
    """`POST /{kind}s/{key}/ACT` for each act; `find` is what `GET` answers, whose ETag says what was looked at."""
    done = create_model(
        f"{kind.title()}DoneOut",
        __base__=Schema,
        said=(str, Field(description="What was done, in a sentence.")),
        **{kind: (out, ...)},
    )  # type: ignore[call-overload]  # the field's name is known at run time only

    def add(name: str, act: Act) -> None:
        def run(request: HttpRequest, key: str, form: QueryDict, if_match: str) -> tuple[str, Schema, str]:
            seen(find(key), if_match, what=kind)
            given = Given(key=key, form=form, desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username())
            said = doing(lambda: act.run(given))
            now = find(key)
            return said, now, etag_of(now)

        offer(
            router, kind, name, ability=act.ability, takes=shape_of(kind.title(), name, fields[name]), out=done, run=run
        )

    for name, act in acts.items():
        add(name, act)


def offer(
    router: Router,
    kind: str,
    name: str,
    *,
    ability: Ability,
    takes: type[Schema],
    out: type[Schema],
    run: Callable[[HttpRequest, str, QueryDict, str], tuple[str, Schema, str]],
) -> None:
    """`POST /{kind}s/{key}/{name}`. `run` is given the request, the key, the form and `If-Match`; it returns what was
    done in a sentence, the thing as it stands now, and its ETag."""

    def operation(
        request: HttpRequest,
        response: HttpResponse,
        key: str,
        asked: takes,  # type: ignore[valid-type]  # known at run time only
        if_match: IfMatch = "",
    ) -> Any:
        said, now, response["ETag"] = run(request, plain(key), form_of(asked), if_match)
        return {"said": said, kind: now}

    operation.__doc__ = f"{name.replace('-', ' ').capitalize()}: what the console does under that name."
    operation.__name__ = f"{kind}_{name.replace('-', '_')}"
    router.post(f"/{kind}s/{{key}}/{name}", auth=Able(ability, f"{kind}s"), response=out)(operation)
