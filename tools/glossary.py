"""Writes GLOSSARY.md from the docstrings of `tipstaff.words`; with `--check` it only says whether the file is current.

It reads the source and imports nothing, so it runs without the environment.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORDS = ROOT / "src" / "tipstaff" / "words"
TARGET = ROOT / "GLOSSARY.md"

HEAD = """# Glossary

One word, one thing. A new word goes into `src/tipstaff/words/` with a sentence of its own; this page is made from those
sentences by `python tools/glossary.py`, and a test holds it current.

Tables list a word's values as the record, JSON and the settings write them. Lists name the parts of a word that need
a sentence; the others are what their name says.
"""


@dataclass(frozen=True)
class Part:
    """A value of an enumeration, or a field of a value."""

    name: str
    shown: str
    says: str


@dataclass(frozen=True)
class Word:
    """One class of the vocabulary."""

    name: str
    module: str
    says: str
    is_enum: bool
    parts: tuple[Part, ...]


def words() -> list[Word]:
    """Every public class of the vocabulary, in the order of the alphabet."""
    found = [
        _word(node, file)
        for file in sorted(WORDS.glob("*.py"))
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    return sorted(found, key=lambda word: word.name.lower())


def glossary() -> str:
    """The page."""
    known = words()
    blocks = [HEAD, " ·\n".join(f"[{word.name}](#{word.name.lower()})" for word in known) + "\n"]
    blocks += [_block(word) for word in known]
    return "\n".join(blocks)


def _word(node: ast.ClassDef, file: Path) -> Word:
    is_enum = any("Enum" in ast.unparse(base) for base in node.bases)
    return Word(
        name=node.name,
        module=f"words/{file.name}",
        says=_joined(ast.get_docstring(node) or ""),
        is_enum=is_enum,
        parts=tuple(_parts(node, is_enum=is_enum)),
    )


def _parts(node: ast.ClassDef, *, is_enum: bool) -> Iterator[Part]:
    for here, after in zip(node.body, [*node.body[1:], None], strict=True):
        says = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            says = _joined(after.value.value)
        if is_enum and isinstance(here, ast.Assign) and isinstance(here.targets[0], ast.Name):
            value = here.value.value if isinstance(here.value, ast.Constant) else ast.unparse(here.value)
            name = here.targets[0].id
            yield Part(name, str(value) if isinstance(value, str) else name, says)
        elif not is_enum and isinstance(here, ast.AnnAssign) and isinstance(here.target, ast.Name) and says:
            yield Part(here.target.id, here.target.id, says)


def _block(word: Word) -> str:
    lines = [f"## {word.name}", ""]
    if word.says:
        lines += [f"{word.says} (`{word.module}`)", ""]
    else:
        lines += [f"(`{word.module}`)", ""]
    if word.is_enum:
        lines += ["| value | meaning |", "|---|---|", *(f"| `{p.shown}` | {p.says} |" for p in word.parts), ""]
    elif word.parts:
        lines += [*(f"- `{p.name}`: {_continued(p.says)}" for p in word.parts), ""]
    return "\n".join(lines)


def _joined(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def _continued(sentence: str) -> str:
    """`A letter.` after a colon goes on in lower case, unless it begins with a name or a sign."""
    first = sentence.split(" ", 1)[0]
    if not (first.isalpha() and first.istitle()) or first in ("None", "True", "False"):
        return sentence
    return first.lower() + sentence[len(first) :]


def main() -> int:
    """Write the page, or with `--check` compare."""
    page = glossary()
    if "--check" in sys.argv[1:]:
        current = TARGET.exists() and TARGET.read_text(encoding="utf-8") == page
        if not current:
            print("GLOSSARY.md is not current; run  python tools/glossary.py", file=sys.stderr)
        return 0 if current else 1
    TARGET.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
