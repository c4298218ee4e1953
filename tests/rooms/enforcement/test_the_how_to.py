"""The how-to of a driver is run as it stands: its blocks become a package, which is found and passes the contract."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "develop" / "a-driver.md"
FIND = """
import os
from tipstaff import wiring
from tipstaff.config import DeviceConfig
made = wiring.driver(DeviceConfig(name="front", driver="doorlist", options={"file": "/srv/doors/barred"}))
print(type(made).__module__, made.ability.device)
"""


def test_the_example_is_found_by_its_entry_point_and_passes_the_contract(tmp_path: Path) -> None:
    project, driver, contract = re.findall(r"^```(?:toml|python)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    package, told = tmp_path / "doorlist", tomllib.loads(project)["project"]
    package.mkdir()
    (package / "__init__.py").write_text(driver)
    (package / "test_doorlist.py").write_text(contract)
    # What an installer makes of the project file.
    installed = tmp_path / f"{told['name']}-{told['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n")
    points = told["entry-points"]["tipstaff.drivers"].items()
    (installed / "entry_points.txt").write_text(
        "[tipstaff.drivers]\n" + "".join(f"{name} = {where}\n" for name, where in points)
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert run("-c", FIND, cwd=tmp_path, environment=environment).split() == ["doorlist", "front"]
    done = run("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(package / "test_doorlist.py"), cwd=tmp_path,
               environment=environment)  # fmt: skip
    passed = re.search(r"(\d+) passed", done)
    assert passed is not None, done
    assert int(passed[1]) >= 20
    # What a keeper promises is asked only of devices that do not end their rules by themselves; this one does. Nor can
    # it read back a part without the rest.
    skipped = re.findall(r"^SKIPPED .*", done, re.M)
    assert skipped == re.findall(r"^SKIPPED .*(?:ends its rules by itself|is always read as a whole)", done, re.M), done


def run(*arguments: str, cwd: Path, environment: dict[str, str]) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
