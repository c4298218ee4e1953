"""Attributes of FreeRADIUS' detail files, by the column: eight octets of every line at once, then the few that fit.

It takes what FreeRADIUS writes and gives up at anything else, so that the plain reader beside it stays the one that
says what a detail file means: a test holds both equal.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product

import numpy as np
import polars as pl

Array = np.ndarray
BLOCK = 4 << 20
"""Octets that are looked at together: all that is made of them stays in the processor's cache."""
_PAD = np.zeros(64, np.uint8)
_NAMES_MAX = 32
_LINE, _TAB, _SPACE, _QUOTE, _DOT = 10, 9, 32, 34, 46
_FOLD = np.uint64(0x2020202020202020)
_ODD = (b"\0", b"\r", b"\x1f")
"""What the plain reader has its own ways with."""


class Scanner:
    """Finds the attributes `wanted`: their names as FreeRADIUS writes them, and what their columns are called.

    `numbers` are the columns in which only the number counts, so that 007 may be 7; `quads` those of IPv4 addresses,
    which are numbers, too (UInt32), where all are written with dots; `few` those with few values.
    """

    def __init__(
        self, wanted: Mapping[str, str], *, numbers: frozenset[str], quads: frozenset[str], few: frozenset[str]
    ) -> None:
        self.columns, self._numbers, self._quads, self._few = tuple(wanted.values()), numbers, quads, few
        groups: dict[bytes, list[str]] = {}
        for name in wanted:
            groups.setdefault(name.lower()[:8].encode(), []).append(name)
        self._groups = [[(wanted[name], f"{name} = ".encode()) for name in names] for names in groups.values()]
        self._odd_names = [[name.lower().encode() for name in names] for names in groups.values()]
        keys = {
            key: number
            for number, beginning in enumerate(groups, start=1)
            for key in _spellings(beginning)
        }  # fmt: skip
        self._keys = [np.array([k for k, n in keys.items() if n == g], np.uint64) for g in range(1, len(groups) + 1)]
        self._factor, self._codes = _table(keys)

    def records(self, data: bytes, offset: int) -> pl.DataFrame | None:
        """A row for each record, with its `offset`; a column of `numbers` or `quads` is text where not all are. None:
        odd."""
        if any(octet in data for octet in _ODD) or not _is_utf8(data):
            return None
        frames = []
        octets = np.frombuffer(data, np.uint8)
        for begin, end in _blocks(data):
            # What lies behind a block is looked at and not used; behind the last there must be something.
            padded = octets[begin : end + len(_PAD)]
            if len(padded) < end + len(_PAD) - begin:
                padded = np.concatenate((octets[begin:end], _PAD))
            found = self._block(padded, end - begin, offset + begin)
            if found is None:
                return None
            frames.append(found)
        return pl.concat(_alike(frames, self.columns)) if frames else None

    def _block(self, padded: Array, size: int, offset: int) -> pl.DataFrame | None:
        ends = np.flatnonzero(padded[:size] == _LINE)
        if padded[size - 1] != _LINE:
            ends = np.append(ends, size)
        starts = np.empty_like(ends)
        starts[0], starts[1:] = 0, ends[:-1] + 1
        first = padded[starts]
        flush = np.flatnonzero(first != _TAB)
        kind = first[flush]
        headers = flush[(kind != _LINE) & (kind != _SPACE)]
        number = len(headers)
        record = np.zeros(len(starts), np.int32)
        record[headers] = 1
        record = np.cumsum(record, dtype=np.int32) - 1
        words = np.ndarray(shape=(len(padded) - 8,), dtype="<u8", buffer=padded.data, strides=(1,))
        keys = words[1:][starts]
        codes = self._codes[((keys | _FOLD) * self._factor) >> np.uint64(56)]
        if record[0] < 0:
            codes[record < 0] = 0
        columns: dict[str, pl.Series] = {"offset": pl.Series(starts[headers] + offset, dtype=pl.Int64)}
        for group, names in enumerate(self._groups, start=1):
            lines = np.flatnonzero(codes == group)
            key = keys[lines]
            ours = _is_one_of(key | _FOLD, self._keys[group - 1]) & (first[lines] == _TAB)
            if not ours.all():
                lines, key = lines[ours], key[ours]
            begins = starts[lines] + 1
            for column, name in names:
                here = _begins_with(words, key, begins, name)
                if here.all():
                    mine, begun = lines, begins
                    lines, key, begins = lines[:0], key[:0], begins[:0]
                else:
                    mine, begun = lines[here], begins[here]
                    lines, key, begins = lines[~here], key[~here], begins[~here]
                if not len(mine):
                    continue
                rows = record[mine]
                again = np.zeros(len(rows), bool)
                again[1:] = rows[1:] == rows[:-1]
                if again.any():
                    mine, rows, begun = mine[~again], rows[~again], begun[~again]
                begun = begun + len(name)
                read = _whole_numbers if column in self._numbers else _quads if column in self._quads else None
                values = _values(padded, begun, ends[mine], read=read, few=column in self._few)
                columns[column] = values if len(rows) == number else _spread(values, rows, number)
            if len(begins) and _odd(padded, begins, self._odd_names[group - 1]):
                return None
        return pl.DataFrame(columns)


def _is_one_of(folded: Array, spellings: Array) -> Array:
    """The first spelling is what FreeRADIUS writes: the others are looked for where that is not all there is."""
    ours: Array = folded == spellings[0]
    if not ours.all():
        for spelt in spellings[1:]:
            ours |= folded == spelt
    return ours


def _spellings(beginning: bytes) -> Iterator[int]:
    """Folded keys of a name's first eight octets, with - or _ between its words."""
    choices = [(b"-", b"_") if letter == 45 else (bytes([letter]),) for letter in beginning]
    for spelt in product(*choices):
        yield int.from_bytes(b"".join(spelt), "little") | int(_FOLD)


def _table(keys: Mapping[int, int]) -> tuple[np.uint64, Array]:
    """A factor, and the code at each place of 256, by which a key's code is at the upper octet of key * factor."""
    factor = 0x9E3779B97F4A7C15
    while True:
        codes = np.zeros(256, np.uint8)
        for key, code in keys.items():
            place = key * factor % 2**64 >> 56
            if codes[place] not in (0, code):
                break
            codes[place] = code
        else:
            return np.uint64(factor), codes
        factor = (factor * 6364136223846793005 + 1442695040888963407) % 2**64 | 1


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Stretches that begin where a record begins, but for the first."""
    begin = 0
    while begin < len(data):
        end = begin + BLOCK
        while end < len(data):
            gap = data.find(b"\n\n", end)
            end = len(data) if gap < 0 else gap + 2
            if end < len(data) and data[end] not in b"\t\n ":
                break
        end = min(end, len(data))
        yield begin, end
        begin = end


def _begins_with(words: Array, first: Array, begins: Array, name: bytes) -> Array:
    """Where in the file `name` stands; its first eight octets are known."""
    here: Array = first == np.uint64(int.from_bytes(name[:8], "little"))
    for place in range(8, len(name), 8):
        place = min(place, len(name) - 8)
        here &= words[place:][begins] == np.uint64(int.from_bytes(name[place : place + 8], "little"))
    return here


Reader = Callable[[Array, Array, Array], Array | None]


def _values(padded: Array, begins: Array, ends: Array, *, read: Reader | None, few: bool) -> pl.Series:
    """What stands between, without quotes and spaces around it; as numbers, where `read` can read all of it so."""
    if read and (numbers := read(padded, begins, ends)) is not None:
        return pl.Series(numbers)
    begins, ends = begins.copy(), ends.copy()
    while True:
        edge = padded[begins]
        more = ((edge == _QUOTE) | (edge == _SPACE)) & (begins < ends)
        if not more.any():
            break
        begins += more
    while True:
        edge = padded[ends - 1]
        more = ((edge == _QUOTE) | (edge == _SPACE)) & (begins < ends)
        if not more.any():
            break
        ends -= more
    if read and (numbers := read(padded, begins, ends)) is not None:
        return pl.Series(numbers)
    lengths = ends - begins
    longest = int(lengths.max())
    # Fixed widths are gathered at once; what lies beyond a value's end is blanked, and NumPy strips it.
    width = max(longest, 1)
    if width > len(_PAD):
        texts = [bytes(padded[b:e]) for b, e in zip(begins.tolist(), ends.tolist(), strict=True)]
        return pl.Series(texts, dtype=pl.Binary).cast(pl.String)
    cut = _windows(padded, begins, width)
    if lengths.min() < width:
        cut *= np.arange(width) < lengths[:, None]
    return _texts(cut, few=few)


def _whole_numbers(padded: Array, begins: Array, ends: Array) -> Array | None:
    """What stands between as numbers; None where not all are digits, or too many."""
    lengths = ends - begins
    longest = int(lengths.max())
    if not 0 < longest <= _POWERS.size or lengths.min() <= 0:
        return None
    # The octets before a shorter value are blanked; a dot product of floats is exact below 2**53.
    digits = _windows(padded, ends - longest, longest) - np.uint8(48)
    if lengths.min() < longest:
        digits *= np.arange(longest, 0, -1) <= lengths[:, None]
    if not (digits <= 9).all():
        return None
    return (digits.astype(np.float64) @ _POWERS[-longest:]).astype(np.int64)


def _quads(padded: Array, begins: Array, ends: Array) -> Array | None:
    """Four octets with dots between them as one number; None where not all are such."""
    lengths = ends - begins
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 7 or longest > 15:
        return None
    letters = np.ascontiguousarray(_windows(padded, begins, longest).T)
    number, octet = np.zeros(len(begins), np.uint32), np.zeros(len(begins), np.uint16)
    dots, after_dot, odd = np.zeros(len(begins), np.uint8), np.ones(len(begins), bool), np.zeros(len(begins), bool)
    for place, letter in enumerate(letters):
        digit, dot = letter - np.uint8(48), letter == _DOT
        within = digit <= 9
        odd |= (dot & after_dot) | ~(dot | within) if place < shortest else (
            (lengths > place) & ((dot & after_dot) | ~(dot | within))
        )  # fmt: skip
        if place >= shortest:
            inside = lengths > place
            within &= inside
            dot &= inside
            after_dot = np.where(inside, dot, after_dot)
        else:
            after_dot = dot
        octet = np.where(within, octet * 10 + digit, octet)
        odd |= octet > 255
        number = np.where(dot, number << 8 | octet, number)
        octet[dot] = 0
        dots += dot
    if (odd | after_dot | (dots != 3)).any():
        return None
    return number << 8 | octet


def _dotted(column: str) -> pl.Expr:
    """A number as four octets, in text."""
    number = pl.col(column)
    return pl.format("{}.{}.{}.{}", *(number // 256**place % 256 for place in (3, 2, 1, 0))).alias(column)


_POWERS = 10.0 ** np.arange(9, -1, -1)


def _windows(padded: Array, begins: Array, width: int) -> Array:
    """So many octets from each place on, a row each."""
    whole = np.ndarray(shape=(len(padded) - width + 1,), dtype=f"S{width}", buffer=padded.data, strides=(1,))
    rows: Array = whole[begins].view(np.uint8).reshape(-1, width)
    return rows


def _texts(cut: Array, *, few: bool) -> pl.Series:
    """Rows of octets as text. Of a column of `few` values each is made once, if a small table holds all of them."""
    width = cut.shape[1]
    if few and width <= 16:
        both = np.zeros((len(cut), 16), np.uint8)
        both[:, :width] = cut
        first, second = both.view("<u8").T
        slot = ((first * _MIX) ^ (second * (_MIX + np.uint64(2)))) >> np.uint64(64 - _SLOT_BITS)
        holder = np.empty(1 << _SLOT_BITS, np.int64)  # Only slots that were just written are read.
        holder[slot] = np.arange(len(cut))
        same_as = holder[slot]
        if (first[same_as] == first).all() and (second[same_as] == second).all():
            distinct = np.flatnonzero(same_as == np.arange(len(cut)))
            number = np.zeros(len(cut), np.int64)
            number[distinct] = np.arange(len(distinct))
            return _texts(cut[distinct], few=False).gather(number[same_as])
    return pl.Series(cut.reshape(-1).view(f"S{width}")).cast(pl.String)


_MIX, _SLOT_BITS = np.uint64(0x9E3779B97F4A7C15), 18


def _spread(values: pl.Series, rows: Array, number: int) -> pl.Series:
    """The values in their records' rows, null in the others."""
    place = np.full(number, -1, np.int64)
    place[rows] = np.arange(len(rows))
    at = pl.DataFrame({"at": place}).select(pl.when(pl.col("at") >= 0).then("at")).to_series()
    return values.gather(at)


def _odd(padded: Array, begins: Array, names: list[bytes]) -> bool:
    """Whether one of the lines is spelt in a way that the plain reader would take for one of `names`."""
    letters = _LOWER[padded[begins[:, None] + np.arange(_NAMES_MAX)]]
    for name in names:
        after = letters[:, len(name)]
        same = (letters[:, : len(name)] == np.frombuffer(name, np.uint8)).all(axis=1)
        if (same & ((after == _LINE) | (after == _SPACE) | (after == 0))).any():
            return True
    return False


_LOWER = np.frombuffer(bytes(range(256)).lower().replace(b"_", b"-"), np.uint8)


def _alike(frames: list[pl.DataFrame], columns: tuple[str, ...]) -> list[pl.DataFrame]:
    """With the same columns of the same types."""
    types = {"offset": pl.Int64()}
    for column in columns:
        kinds = {f.schema[column] for f in frames if column in f.columns}
        alike = kinds.pop() if len(kinds) == 1 else pl.String()
        types[column] = alike  # type: ignore[assignment]  # text, or a number
    return [
        f.select(
            pl.lit(None, kind).alias(c) if c not in f.columns
            else _dotted(c) if f.schema[c] == pl.UInt32 and kind == pl.String
            else pl.col(c).cast(kind)
            for c, kind in types.items()
        )
        for f in frames
    ]  # fmt: skip
