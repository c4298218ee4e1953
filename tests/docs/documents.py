"""What the tests of the documentation read."""

import functools
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_OURS = ("*.md", ".ci/*.md", "changelog.d/*.md", "docs/**/*.md", "src/tipstaff/**/*.md")


@functools.cache
def pages() -> dict[Path, str]:
    """Every page of the repository that is ours."""
    return {
        path: path.read_text(encoding="utf-8")
        for pattern in _OURS
        for path in sorted(ROOT.glob(pattern))
        if "samples" not in path.parts
    }


@functools.cache
def documentation() -> str:
    """All that stands under docs/."""
    return "\n".join(text for path, text in pages().items() if DOCS in path.parents)


def without_code(text: str) -> str:
    """A page without its fenced and indented blocks and its quoted words."""
    text = re.sub(r"^(```|~~~).*?^\1\s*$", "", text, flags=re.M | re.S)
    text = re.sub(r"(?:^|(?<=\n\n))(?: {4}.*\n)+", "", text)
    return re.sub(r"`[^`\n]*`", "", text)


def quoted(word: str) -> bool:
    """Whether any page under docs/ has `word` between backticks, alone or in a longer piece of code."""
    return re.search(rf"`[^`\n]*(?<![\w-]){re.escape(word)}(?![\w-])[^`\n]*`", documentation()) is not None


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings make, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain.replace("`", "")).replace(" ", "-")
        found.add(next(s for s in (slug, *(f"{slug}-{n}" for n in range(1, 100))) if s not in found))
    return found
