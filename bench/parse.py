"""How many mails a CPU-second are read. Prints one JSON object; nothing of any mail is printed.

    python bench/parse.py [FOLDER]

FOLDER holds mails; without one, `../shared/corpus/mails` is used if it is there, else the parsers' own samples.
"""

import json
import resource
import sys
import time
from importlib.resources import files
from pathlib import Path

from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.intake.sieve import sift

SHARED = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "mails"


def mails(argument: str | None) -> tuple[str, list[bytes]]:
    """The mails to read and what to call them."""
    if argument:
        folder, name = Path(argument), Path(argument).name
    elif SHARED.is_dir():
        folder, name = SHARED, "corpus"
    else:
        folder, name = Path(str(files("tipstaff.intake.parsers"))), "samples"
    raws = [x.read_bytes() for x in sorted(folder.rglob("*.eml")) if x.is_file()]
    if not raws:
        sys.exit(f"There is no mail (*.eml) in {folder}.")
    return name, raws


def main() -> None:
    name, raws = mails(sys.argv[1] if len(sys.argv) > 1 else None)
    parsers = load_parsers()
    read(raws[0], parsers=parsers)
    slowest = 0.0
    start = time.process_time()
    for raw in raws:
        before = time.process_time()
        read(raw, parsers=parsers)
        slowest = max(slowest, time.process_time() - before)
    reading = time.process_time() - start
    start = time.process_time()
    for raw in raws:
        sift(raw)
    sifting = time.process_time() - start
    result = {
        "bench": "parse",
        "mails": len(raws),
        "of": name,
        "megabytes": round(sum(map(len, raws)) / 1e6, 1),
        "mails_per_cpu_second": round(len(raws) / reading, 1),
        "sieve_milliseconds_per_mail": round(1000 * sifting / len(raws), 2),
        "slowest_milliseconds": round(1000 * slowest, 1),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
