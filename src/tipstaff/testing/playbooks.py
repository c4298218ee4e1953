"""A stand-in for `ansible-playbook`: the same arguments and exit statuses, for a host that is one JSON file.

    python playbooks.py -i INVENTORY --limit HOST -e @VARIABLES PLAYBOOK ...

The inventory is JSON and says as `host_file` where the host's state lies. `read.yml` and `apply.yml` do what the
example of the driver `ansible` does; `fail.yml` fails at a task that prints its variables; `hang.yml` never ends.
It is started hundreds of times, so it imports little.
"""

import json
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FAILED, UNREACHABLE = 2, 4
"""What Ansible ends with."""


def command(folder: "os.PathLike[str]") -> str:
    """Make it a program in this folder."""
    program = os.path.join(folder, "ansible-playbook")
    with open(program, "w") as out:
        out.write(f'#!/bin/sh\nexec {sys.executable} -I -S {__file__} "$@"\n')
    os.chmod(program, 0o700)
    return program


def options(folder: "os.PathLike[str]") -> "dict[str, object]":
    """What a `[[devices]]` table with `driver = "ansible"` takes for one such host, all of it in this folder."""
    for name in ("read", "apply", "fail", "hang"):
        with open(os.path.join(folder, f"{name}.yml"), "w"):
            pass
    host = os.path.join(folder, "host")
    os.makedirs(host)
    hosts = {"edge1.example.net": {"host_file": os.path.join(host, "state")}}
    with open(inventory := os.path.join(folder, "hosts.json"), "w") as out:
        json.dump({"all": {"hosts": hosts}}, out)
    return {
        "program": command(folder), "inventory": inventory, "host": "edge1.example.net",
        "playbook": os.path.join(folder, "apply.yml"), "read_playbook": os.path.join(folder, "read.yml"),
        "folder": os.path.join(folder, "runs"), "can": ["flow:block", "account:suspend"], "proof": "state",
    }  # fmt: skip


def main(*arguments: str) -> int:
    """Play playbooks on one host, one after the other until one fails; the exit status."""
    _, inventory, _, host, _, variables, *playbooks = arguments
    with open(inventory) as file:
        state = json.load(file)["all"]["hosts"][host]["host_file"]
    with open(variables.removeprefix("@")) as file:
        told = json.load(file)["tipstaff"]
    if not os.path.isdir(os.path.dirname(state)):
        print(f"fatal: [{host}]: UNREACHABLE!")
        return UNREACHABLE
    return next((status for playbook in playbooks if (status := _play(playbook, told, host, state))), 0)


def _play(playbook: str, told: "dict[str, Any]", host: str, state: str) -> int:
    match os.path.basename(playbook):
        case "read.yml":
            _write(told["answer"], _held(state))
        case "as_believed.yml":
            with open(told["answer"]) as file:
                return 0 if json.load(file) == told["believed"] else FAILED
        case "apply.yml":
            rules = told["keep"] + told["apply"]
            _write(f"{state}.new", {**_held(state), "generation": told["generation"], "rules": rules})
            os.replace(f"{state}.new", state)
        case "fail.yml":
            print(f"fatal: [{host}]: FAILED! => {told}")
            return FAILED
        case "hang.yml":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # So does its child.
            if not os.fork():
                _write(state, os.getpid())
            while True:
                signal.pause()
    return 0


def _held(state: str) -> dict[str, object]:
    if not os.path.exists(state):
        return {"generation": 0, "rules": [], "foreign": []}
    with open(state) as file:
        held: dict[str, object] = json.load(file)
    return held


def _write(path: str, tree: object) -> None:
    with open(path, "w") as out:
        json.dump(tree, out)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
