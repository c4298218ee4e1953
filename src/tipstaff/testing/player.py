"""Plays the example day against a running Tipstaff: mails by SMTP and LMTP, answers through the portal's own pages.

The day's clock is a file that says how far the example runs ahead of the real clock; the player moves it from one
event to the next and waits, each time, until everything that follows from it has happened.
"""

import functools
import http.cookiejar
import re
import select
import smtplib
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection, connections

from tipstaff.cases.queries import get_case
from tipstaff.intake.queries import get_report
from tipstaff.ledger.queries import entries_of
from tipstaff.testing.compared import Played, compare
from tipstaff.testing.mailbox import Mailbox
from tipstaff.testing.staff import Colleague
from tipstaff.testing.story import Move, Review, Since, Told
from tipstaff.words import Answer, Case, Channel, Proof, Role

_REFERENCE = re.compile(rb"R-\d{6,}")
_LINK = re.compile(r"https?://\S+/p/\S+")
SETTLE_SECONDS = 60.0
OWN_ROUNDS = 3
"""So many deadlines wait for the desk's own look, every five seconds; the others are looked at at once."""


class DayStuck(TimeoutError):
    """The example day does not go on; the message says what was waited for."""


class Player:
    """One playing of the day."""

    def __init__(
        self,
        story: tuple[Told, ...],
        *,
        day: datetime,
        clock_file: Path,
        now: Callable[[], datetime],
        host: str,
        smtp_port: int,
        lmtp_port: int,
        colleague: Callable[[Role], Colleague],
        letters: Mailbox,
        look_round: Callable[[], None],
        proof: Proof,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`colleague` logs somebody with that role in at the console, `proof` is the surest that the device gives."""
        self.day, self.letters = day, letters
        self._colleague = functools.cache(colleague)
        self.played = {t.id: Played(told=t) for t in story}
        self._story = sorted(story, key=lambda t: t.at)
        self._clock_file, self._now = clock_file, now
        self._host, self._ports = host, {Channel.SMTP: smtp_port, Channel.LMTP: lmtp_port}
        self._look_round, self._progress = look_round, progress
        self._proof = proof
        self._own_rounds = OWN_ROUNDS
        self._moves_left: list[tuple[Played, Move]] = []
        self._known_times: dict[tuple[str, int], datetime] = {}
        self._case_keys: dict[tuple[str, str | None], str] = {}

    def play(self) -> list[Played]:
        """The whole day, then what still runs, until nothing is due any more."""
        self._pass_by_now()
        for told in self._story:
            self._run_until(self.day + told.at)
            self._send(self.played[told.id])
            self._moves_left += [(self.played[told.id], move) for move in told.moves]
            self._progress(told.title)
        while (soon := self._next_event()) is not None:
            self._run_until(soon + timedelta(seconds=1))
        compare(self.played, mails=self.letters.mails, proof=self._proof)
        return list(self.played.values())

    # The clock

    def _pass_by_now(self) -> None:
        self._clock_file.write_text(str((self.day - self._real_now()).total_seconds()))

    def _real_now(self) -> datetime:
        try:
            ahead = float(self._clock_file.read_text())
        except (FileNotFoundError, ValueError):
            ahead = 0.0
        return self._now() - timedelta(seconds=ahead)

    def _set_clock(self, at: datetime) -> None:
        """Only ever forward: a clock that goes back is another story."""
        if at <= self._now():
            return
        part = self._clock_file.with_suffix(".part")
        part.write_text(str((at - self._real_now()).total_seconds()))
        part.replace(self._clock_file)

    def _run_until(self, at: datetime) -> None:
        """Let everything happen that is due before `at`, in its order, then set the clock to `at`."""
        while (soon := self._next_event()) is not None and soon < at:
            self._set_clock(soon)
            self._do_moves()
            self._let_deadlines_pass()
            self._settle()
        self._set_clock(at)

    def _next_event(self) -> datetime | None:
        times = [when for when in (self._when(p, m) for p, m in self._moves_left) if when is not None]
        with connection.cursor() as cursor:
            cursor.execute("SELECT min(due_at) FROM cases_caserow WHERE state IN ('notified', 'extended')")
            due = cursor.fetchone()[0]
        if due is not None:
            times.append(due)
        return min(times, default=None)

    # What people do

    def _when(self, played: Played, move: Move) -> datetime | None:
        key = (played.told.id, played.told.moves.index(move))
        if key in self._known_times:
            return self._known_times[key]
        case = self._case_of_move(played, move)
        if case is None:
            return None
        match move.since:
            case Since.OPENED:
                anchor: datetime | None = case.opened_at
            case Since.OVERDUE:
                anchor = self._entry_time(case.key, "case.overdue")
            case Since.MEASURE_IN_FORCE:
                anchor = self._entry_time(case.key, "case.measure_in_force")
        if anchor is not None:
            self._known_times[key] = anchor + move.after
        return self._known_times.get(key)

    def _entry_time(self, case: str, what: str) -> datetime | None:
        return next((e.at for e in entries_of(case, what=[what])), None)

    def _case_of_move(self, played: Played, move: Move) -> Case | None:
        known = self._case_keys.get((played.told.id, move.customer))
        if known is not None:
            return get_case(known)
        report = get_report(played.report) if played.report else None
        for incident in report.incidents if report is not None else ():
            case = get_case(incident.case) if incident.case else None
            if case is not None and move.customer in (None, case.customer):
                self._case_keys[played.told.id, move.customer] = case.key
                return case
        return None

    def _do_moves(self) -> None:
        now = self._now()
        for played, move in list(self._moves_left):
            when = self._when(played, move)
            if when is not None and when <= now:
                self._moves_left.remove((played, move))
                case = self._case_of_move(played, move)
                assert case is not None, "it had a time, so it has a case"
                self._do(move, case, played)
                self._settle()

    def _do(self, move: Move, case: Case, played: Played) -> None:
        try:
            if isinstance(move.does, Answer):
                self._answer_in_portal(case, move.does, move.words)
            else:
                self._decide(case, move.does, move.words, who=move.who)
        except Exception as why:  # noqa: BLE001 - the day goes on; the difference shows in the table with its cause
            played.wrong.append(f"{move.does} on {case.key}: {type(why).__name__}: {why}")

    def _answer_in_portal(self, case: Case, answer: Answer, words: str) -> None:
        """Open the link of the latest letter about this case and send its form, as the customer's browser would."""
        link = next(
            found.group(0)
            for mail in reversed(self.letters.mails)
            if case.key in mail.subject + mail.text and (found := _LINK.search(mail.text))
        )
        jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        with jar.open(link, timeout=20) as page:
            shown = page.read().decode()
        assert f'value="{answer}"' in shown, f"the page of {case.key} ({case.state}) does not offer {answer}"
        fields = {"answer": answer, "words": words or "Done."}
        request = urllib.request.Request(  # noqa: S310 - our own portal on loopback
            link, data=urllib.parse.urlencode(fields).encode(), headers={"Referer": link}
        )
        with jar.open(request, timeout=20) as page:
            page.read()

    def _decide(self, case: Case, review: Review, words: str, *, who: Role) -> None:
        """As the colleague would: through the page of the case."""
        if review is Review.TAKE_MEASURE:
            self._colleague(who).act(case.key, "decide", decision="go_ahead", why=words)
        else:
            decision = "upheld" if review is Review.FOR_CUSTOMER else "rejected"
            self._colleague(who).act(case.key, "review", decision=decision, why=words)

    # What comes in

    def _send(self, played: Played) -> None:
        told = played.told
        port = self._ports[told.channel]
        client = smtplib.SMTP if told.channel is Channel.SMTP else smtplib.LMTP
        with client(self._host, port, timeout=60) as smtp:
            smtp.ehlo_or_helo_if_needed()
            smtp.mail(told.sender)
            smtp.rcpt(told.recipient)
            code, reply = smtp.data(told.raw)
        found = _REFERENCE.search(reply)
        if code != 250 or found is None:
            played.wrong.append(f"the mailbox answered {code} {reply.decode('ascii', 'replace')}")
            return
        played.report = found.group(0).decode()
        self._settle()

    # Waiting

    def _let_deadlines_pass(self) -> None:
        """The first ones pass by the desk's own clock, which shows that it runs; to wait for all would take minutes."""
        if self._own_rounds == 0 or not self._is_due():
            self._look_round()
            return
        self._own_rounds -= 1
        end = time.monotonic() + SETTLE_SECONDS
        while self._is_due():
            if time.monotonic() > end:
                raise DayStuck(f"the desk's own clock did not come round for {SETTLE_SECONDS:g} s")
            select.select([], [], [], 0.02)

    def _is_due(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM cases_caserow WHERE state IN ('notified', 'extended') AND due_at <= %s)",
                [self._now()],
            )
            due: bool = cursor.fetchone()[0]
        return due

    def _settle(self) -> None:
        """Wait until nothing is left to do at this moment of the example day."""
        end = time.monotonic() + SETTLE_SECONDS
        quiet = 0
        while quiet < 2:
            left = self._left_to_do()
            quiet = 0 if left else quiet + 1
            if time.monotonic() > end:
                raise DayStuck(f"after {SETTLE_SECONDS:g} s there is still: {left}")
            select.select([], [], [], 0.02)

    def _left_to_do(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT 'jobs ' || string_agg(DISTINCT task_name, ', ') FROM procrastinate_jobs
                  WHERE status IN ('todo', 'doing') AND task_name IN ('understand', 'letters', 'follow', 'round')
                UNION ALL SELECT 'letters' FROM notices_letterrow
                  WHERE state IN ('sending', 'handing_over') OR (state = 'queued' AND due_at <= %s)
                UNION ALL SELECT 'measures' FROM enforcement_measurerow WHERE state IN ('planned','applying','lifting')
                UNION ALL SELECT 'cases' FROM cases_caserow c WHERE state = 'overdue'
                  OR (state = 'fixed') OR (state = 'measure_planned')
                """,
                [self._now()],
            )
            return ", ".join(sorted({row[0] for row in cursor.fetchall() if row[0]}))


def close_connections() -> None:
    """For the thread that played, when it is done."""
    connections.close_all()
