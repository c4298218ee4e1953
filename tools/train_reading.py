"""Learns who is meant and what is alleged from a folder of complaints with labels, or tells how well that is learned.

    python tools/train_reading.py CORPUS               writes src/tipstaff/intake/ranking/weights.json
    python tools/train_reading.py CORPUS --evaluate    prints figures on reporters held out, as one JSON object

CORPUS holds `mails/*.eml` and `labels.jsonl`, one object a line: `file`, `rejected` (it is no complaint), `ips` and
`hosts` (the offenders that stand in the mail), `class` (XARF v4 type, or null). A reporter is what stands before the
first dot of a file's name. No word that fewer than five reporters wrote enters the weights, and words enter as numbers.

It needs numpy, scipy, scikit-learn and lightgbm, which the program itself does not: install them beside it.
"""

import argparse
import json
import math
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from tipstaff.intake.mail import read_mail
from tipstaff.intake.parsers.freetext import FreetextParser
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.ranking import choose, kinds, rivals
from tipstaff.intake.ranking.letter import judged, prose
from tipstaff.intake.ranking.model import FILE, Linear, Weights, sigmoid, weights_from
from tipstaff.intake.ranking.words import number
from tipstaff.intake.reading import read
from tipstaff.intake.text.candidate import Candidate
from tipstaff.intake.text.candidates import gather
from tipstaff.intake.text.find import is_address
from tipstaff.intake.text.kinds import weigh_kinds
from tipstaff.intake.text.sections import lay_out

REPORTERS_MIN = 5
"""From how many reporters a word must be known."""
PRECISION_WANTED = 0.99
"""Share of readings whose sources must be right, all of them and no other, where no person looks."""
OUTER, INNER = 10, 5
TARGET = Path(__file__).resolve().parent.parent / "src" / "tipstaff" / "intake" / "ranking" / FILE
_UNLABELLED = 0.2

Facts = list[tuple[str, float]]


@dataclass(frozen=True)
class Told:
    """One mail of the corpus with what is right about it."""

    file: str
    raw: bytes
    label: dict[str, Any]
    addresses: list[Candidate]
    hosts: list[Candidate]
    rules: dict[str, float]
    kind_facts: Facts
    by_words: bool
    """Whether no form and no rule of what is no complaint takes it, so that it is read by its words."""

    @property
    def reporter(self) -> str:
        return self.file.split(".")[0]

    def around(self, kind: str) -> rivals.Around:
        """What stands beside the candidates of a kind."""
        others = self.hosts if kind == "ip" else self.addresses
        return rivals.Around(len(others), rivals.about_items(self.rules))

    def candidates(self, kind: str) -> list[Candidate]:
        return self.addresses if kind == "ip" else self.hosts

    @property
    def wanted(self) -> dict[str, set[str]]:
        """The offenders by the kind of candidate; an address among the hosts of a label is an address."""
        literal = {x for x in self.label["hosts"] if is_address(x)} if not self.label["ips"] else set()
        return {"ip": set(self.label["ips"]) | literal, "host": {x for x in self.label["hosts"] if not is_address(x)}}

    def meant(self, kind: str) -> list[bool]:
        """Which candidates are right."""
        wanted = self.wanted[kind]
        if kind == "ip":
            return [x.value in wanted for x in self.addresses]
        return [any(_related(x.value, host) for host in wanted) for x in self.hosts]

    def exact(self, kind: str, chosen: Iterable[Candidate]) -> bool:
        """Whether a choice is right as a whole; a host and the host above it count as one."""
        found = {x.value for x in chosen}
        wanted = self.wanted[kind]
        if kind == "ip":
            return found == wanted
        strangers = {x for x in found if not any(_related(x, y) for y in wanted)}
        return not strangers and all(any(_related(x, y) for x in found) for y in wanted)


def _related(a: str, b: str) -> bool:
    return a == b or a.endswith(f".{b}") or b.endswith(f".{a}")


def load(corpus: Path) -> list[Told]:
    """The corpus, read and laid out."""
    told = []
    parsers = load_parsers()
    for line in (corpus / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        raw = (corpus / "mails" / label["file"]).read_bytes()
        mail = read_mail(raw)
        lines = lay_out(mail)
        scene = gather(mail, lines)
        text = prose(lines)
        rules = weigh_kinds(subject=mail.subject, text=text)
        facts = kinds.facts(subject=mail.subject, text=text, rules=rules)
        by_words = read(raw, parsers=parsers).parser == FreetextParser.name
        told.append(Told(label["file"], raw, label, scene.addresses, scene.hosts, rules, facts, by_words))
    return told


def fold_of(reporter: str, folds: int, *, salt: str) -> int:
    """The fold of a reporter, the same on every machine."""
    return zlib.crc32(f"{salt} {reporter}".encode()) % folds


class Vocabulary:
    """Features that enough reporters wrote; those that are no words of a mail always count."""

    def __init__(self, rows: Iterable[tuple[str, Facts]]) -> None:
        writers: dict[str, set[str]] = defaultdict(set)
        for reporter, facts in rows:
            for name, _ in facts:
                writers[name].add(reporter)
        known = (x for x, who in writers.items() if len(who) >= REPORTERS_MIN or x.startswith("#"))
        self.places = {x: i for i, x in enumerate(sorted(known))}

    def matrix(self, rows: Sequence[Facts], *, length: float = 0.0) -> csr_matrix:
        values: list[float] = []
        columns: list[int] = []
        starts = [0]
        for facts in rows:
            known = [(self.places[x], strength) for x, strength in facts if x in self.places]
            squares = sum(s * s for _, s in known)
            scale = length / math.sqrt(squares) if length and squares else 1.0
            columns += [x for x, _ in known]
            values += [s * scale for _, s in known]
            starts.append(len(values))
        return csr_matrix((values, columns, starts), shape=(len(rows), max(1, len(self.places))))


def _linear(vocabulary: Vocabulary, model: LogisticRegression) -> dict[str, Any]:
    weights = {number(x): round(float(model.coef_[0][i]), 4) for x, i in vocabulary.places.items()}
    return {
        "bias": round(float(model.intercept_[0]), 4),
        "weights": {str(x): w for x, w in weights.items() if abs(w) >= 0.002},
    }


def _mail_weights(mails: Sequence[Told], kind: str) -> list[float]:
    """For each mail the weight of one of its candidates.

    A reporter with many mails counts for more than one with a single mail, but not for as many times more. That no host
    stands in a label beside an address is a weak sign that none was meant.
    """
    per = Counter(x.reporter for x in mails)
    weights = []
    for mail in mails:
        trust = _UNLABELLED if not mail.label["rejected"] and not any(mail.meant(kind)) else 1.0
        weights.append(trust * min(1.0, 6 / max(1, len(mail.candidates(kind)))) / math.sqrt(per[mail.reporter]))
    return weights


def teaching(mails: Sequence[Told], kind: str) -> list[Told]:
    """The mails from which is learned who is meant: those whose offender is known, and those that mean nobody."""
    found = []
    for mail in mails:
        wanted = mail.wanted
        known = wanted["ip"] if kind == "ip" else wanted["host"] or wanted["ip"]
        told = any(mail.meant(kind)) or (kind == "host" and not wanted["host"])
        if mail.candidates(kind) and (mail.label["rejected"] or (known and told)):
            found.append(mail)
    return found


def learn_linear(mails: Sequence[Told], kind: str) -> dict[str, Any]:
    """What speaks for and against a candidate by itself."""
    facts = [list(choose.facts(x)) for mail in mails for x in mail.candidates(kind)]
    vocabulary = Vocabulary((mail.reporter, list(choose.facts(x))) for mail in mails for x in mail.candidates(kind))
    right = [x for mail in mails for x in mail.meant(kind)]
    model = LogisticRegression(C=0.3, max_iter=3000)
    each = zip(mails, _mail_weights(mails, kind), strict=True)
    weights = [weight for mail, weight in each for _ in mail.candidates(kind)]
    model.fit(vocabulary.matrix(facts), right, sample_weight=weights)
    return _linear(vocabulary, model)


def learn_rivals(mails: Sequence[Told], kind: str) -> list[Any]:
    """How candidates stand beside each other, from scores by others than those who taught them."""
    rows, right, weights = [], [], []
    weight_of = {x.file: w for x, w in zip(mails, _mail_weights(mails, kind), strict=True)}
    for fold in range(INNER):
        others = [x for x in mails if fold_of(x.reporter, INNER, salt="inner") != fold]
        linear = weights_from_linear(learn_linear(others, kind))
        for mail in (x for x in mails if fold_of(x.reporter, INNER, salt="inner") == fold):
            candidates = mail.candidates(kind)
            meant = mail.meant(kind)
            looked_at = rivals.rows(candidates, *choose.weigh(candidates, linear), mail.around(kind))
            for i, row in looked_at.items():
                rows.append(row)
                right.append(meant[i])
                weights.append(weight_of[mail.file])
    model = lightgbm.LGBMClassifier(
        n_estimators=120, num_leaves=8, learning_rate=0.05, min_child_samples=12, subsample=0.8, subsample_freq=1,
        colsample_bytree=0.6, reg_lambda=2, verbose=-1, n_jobs=1, random_state=1, deterministic=True,
    )  # fmt: skip
    model.fit(np.array(rows, float), np.array(right), sample_weight=np.array(weights))
    return [_tree(x["tree_structure"]) for x in model.booster_.dump_model()["tree_info"]]


def _tree(root: dict[str, Any]) -> list[list[float]]:
    """A tree as five lists; inner nodes come in the order in which they are met."""
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    leaves: list[float] = []

    def place(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            leaves.append(round(node["leaf_value"], 5))
            return -len(leaves)
        here = len(feature)
        feature.append(node["split_feature"])
        threshold.append(node["threshold"])
        left.append(0)
        right.append(0)
        left[here] = place(node["left_child"])
        right[here] = place(node["right_child"])
        return here

    if place(root) < 0:
        return [[0], [0.0], [-1], [-1], leaves]
    return [feature, threshold, left, right, leaves]


def learn_kinds(mails: Sequence[Told], everybody: Sequence[Told]) -> dict[str, Any]:
    """Which words speak for which kind. Mails without a class help only to know how many reporters use a word."""
    vocabulary = Vocabulary((x.reporter, x.kind_facts) for x in everybody)
    labels = [x.label["class"] for x in mails]
    per = Counter((x.reporter, x.label["class"]) for x in mails)
    each = Counter(labels)
    weights = [
        (len(mails) / len(each) / each[x.label["class"]]) ** 0.3 / math.sqrt(per[(x.reporter, x.label["class"])])
        for x in mails
    ]
    model = LogisticRegression(C=1.0, max_iter=3000)
    model.fit(vocabulary.matrix([x.kind_facts for x in mails], length=kinds.LENGTH), labels, sample_weight=weights)
    stored = {}
    for name, i in vocabulary.places.items():
        pairs = [[k, round(float(w), 3)] for k, w in enumerate(model.coef_[:, i]) if abs(w) >= 0.02]
        if pairs:
            stored[str(number(name))] = pairs
    return {
        "names": [str(x) for x in model.classes_],
        "biases": [round(float(x), 4) for x in model.intercept_],
        "weights": stored,
    }


def weights_from_linear(stored: dict[str, Any]) -> Linear:
    return Linear(stored["bias"], {int(x): w for x, w in stored["weights"].items()})


_PLAIN = {"bias": 0.0, "weights": {}}


def learn_parts(mails: Sequence[Told]) -> dict[str, Any]:
    """All weights but those that tell how sure a reading is."""
    by_address, by_host = teaching(mails, "ip"), teaching(mails, "host")
    classed = [x for x in mails if x.label["class"] and not x.label["rejected"]]
    return {
        "reporters_min": REPORTERS_MIN,
        "address": learn_linear(by_address, "ip"),
        "address_rivals": learn_rivals(by_address, "ip"),
        "host": learn_linear(by_host, "host"),
        "host_rivals": learn_rivals(by_host, "host"),
        "kinds": learn_kinds(classed, mails),
        "sure_address": _PLAIN,
        "sure_host": _PLAIN,
        "sure_kind": _PLAIN,
        "sure_from": 1.0,
    }


def learn(mails: Sequence[Told]) -> dict[str, Any]:
    """All weights. How sure a reading is, is learned on reporters that the parts did not see."""
    cases_of: dict[str, list[tuple[Facts, bool]]] = {"sure_address": [], "sure_host": [], "sure_kind": []}
    whole: list[tuple[str, Facts, Facts, bool]] = []
    for fold in range(INNER):
        parts = weights_from(learn_parts([x for x in mails if fold_of(x.reporter, INNER, salt="sure") != fold]))
        for mail in (x for x in mails if fold_of(x.reporter, INNER, salt="sure") == fold and not x.label["rejected"]):
            name, doubts, right = _judge_choice(mail, parts)
            kind, kind_doubts = judged(mail.kind_facts, mail.rules, parts.kinds)
            kind_right = kind == mail.label["class"] if mail.label["class"] else None
            if name:
                cases_of[name].append((doubts, right))
            if kind_right is not None:
                cases_of["sure_kind"].append((kind_doubts, kind_right))
            if name:
                whole.append((name, doubts, kind_doubts, right and kind_right is not False))
    stored = learn_parts(mails)
    for name, cases in cases_of.items():
        vocabulary = Vocabulary((f"#{i}", [(f"#{x}", s) for x, s in facts]) for i, (facts, _) in enumerate(cases))
        model = LogisticRegression(C=1.0, max_iter=3000)
        model.fit(vocabulary.matrix([[(f"#{x}", s) for x, s in facts] for facts, _ in cases]), [x for _, x in cases])
        stored[name] = {
            "bias": round(float(model.intercept_[0]), 4),
            "weights": {str(number(x[1:])): round(float(model.coef_[0][i]), 4) for x, i in vocabulary.places.items()},
        }
    trusted = weights_from(stored)
    sure = [
        (sigmoid(getattr(trusted, name).score(doubts)) * sigmoid(trusted.sure_kind.score(kind_doubts)), right)
        for name, doubts, kind_doubts, right in whole
    ]
    stored["sure_from"] = round(threshold(sure), 4)
    return stored


def _judge_choice(mail: Told, parts: Weights) -> tuple[str, Facts, bool]:
    wanted = mail.wanted
    if wanted["ip"] and mail.addresses:
        choice = choose.choose(mail.addresses, parts.address, parts.address_rivals, mail.around("ip"))
        return "sure_address", list(choice.doubts), mail.exact("ip", choice.chosen)
    if wanted["host"] and not wanted["ip"] and mail.hosts:
        choice = choose.choose(mail.hosts, parts.host, parts.host_rivals, mail.around("host"))
        return "sure_host", list(choice.doubts), mail.exact("host", choice.chosen)
    return "", [], False


def is_kind(label: str | None, kind: str) -> bool | None:
    """Whether a kind is the label's; None where the label does not say.

    The labels know of copyright no narrower kind, so that they do not tell whether `copyright/p2p` is meant.
    """
    if not label or (kind, label) == ("copyright/p2p", "copyright/copyright"):
        return None
    return kind == label


def threshold(cases: Sequence[tuple[float, bool]]) -> float:
    """The confidence from which enough are right, were the next one wrong."""
    ordered = sorted(cases, key=lambda x: -x[0])
    best, right = 1.0, 0
    for many, (confidence, ok) in enumerate(ordered, 1):
        right += ok
        if many - right + 1 <= (1 - PRECISION_WANTED) * many:
            best = confidence
    return best


def main() -> None:
    """Train, or evaluate."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("corpus", type=Path)
    arguments.add_argument("--evaluate", action="store_true", help="print figures on reporters held out; write nothing")
    arguments.add_argument("--split", default="outer", help="with --evaluate: another name splits the reporters anew")
    arguments.add_argument("--predictions", type=Path, help="with --evaluate: write the held-out predictions there")
    arguments.add_argument("--wrong", action="store_true", help="with --evaluate: name the files that went wrong")
    given = arguments.parse_args()
    if not (given.corpus / "labels.jsonl").is_file():
        sys.exit(f"There is no labels.jsonl in {given.corpus}.")
    told = load(given.corpus)
    if given.evaluate:
        import evaluate_reading

        evaluate_reading.run(told, learn, split=given.split, predictions=given.predictions, wrong=given.wrong)
        return
    stored = learn(told)
    TARGET.write_text(json.dumps(stored, separators=(",", ":")), encoding="utf-8")
    print(f"Wrote {TARGET} ({TARGET.stat().st_size // 1024} kB); a reading is sure from {stored['sure_from']}.")


if __name__ == "__main__":
    main()
