"""The command line as a bank's engineer uses it: help, answers for machines, exit codes, and what to do next."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from corridor import app, setup
from corridor.app import World, lock_directory
from corridor.cli import main
from corridor.config import default_text
from corridor.ledger.sender import FileStore
from tests.samples import DAY, HK_A, START_S, TH_A, TH_B, Pen, customer, trade_side

COMMANDS = sorted(main.commands)
PEN = Pen(seed=7)


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch):
    """Run a command; anything but an expected error fails the test with its traceback. The clock stands still."""
    monkeypatch.setattr(app, "World", lambda: World(lambda: START_S, lambda _: None))

    def runs(*arguments) -> Said:
        result = CliRunner(mix_stderr=False).invoke(main, [str(one) for one in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    return runs


@pytest.fixture
def at(run, data_dir):
    """Run a command on the test's corridor."""
    return lambda command, *arguments: run(command, "--data-dir", data_dir, *arguments)


@pytest.fixture
def file(tmp_path):
    """Write a message to a file."""

    def writes(name: str, raw: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(raw)
        return path

    return writes


@pytest.fixture
def paid(at, file):
    """A payment that has settled; its UETR."""
    uetr = PEN.uetr()
    raw = PEN.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    assert at("submit", file("paid.xml", raw)).code == 0
    assert at("cycle").code == 0
    return uetr


# -- help ------------------------------------------------------------------------------------------------------------


def test_help_lists_every_command_and_every_exit_code(run):
    said = run("--help")
    assert said.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", said.out, re.MULTILINE), command
    for code in range(7):
        assert f"{code} " in said.out.split("Exit codes")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run, command):
    said = run(command, "--help")
    assert said.code == 0
    assert "--data-dir" in said.out
    assert "--json" in said.out
    assert len(said.out.splitlines()[2].strip()) > 20


def test_the_version_is_told(run):
    assert re.search(r"\d+\.\d+", run("--version").out)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["submit"], ["priority", "x", "URGENT"], ["proof"], ["cycle", "--bad"], ["statement"]]
)
def test_wrong_usage_ends_with_exit_code_2_and_says_how_to_get_help(run, arguments):
    said = run(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "--help" in said.err


# -- answers ---------------------------------------------------------------------------------------------------------


def test_every_command_answers_in_json(at, file, paid, tmp_path):
    waiting = PEN.uetr()
    raw = PEN.message("pacs.008", customer(HK_A, TH_A, "HKD", "12000000.00", waiting))
    [submitted] = at("submit", file("w.xml", raw), "--json").json
    assert (submitted["bank"], submitted["accepted"], submitted["refused"]) == (HK_A, 1, 0)
    assert Path(submitted["answers"][0]).read_bytes().startswith(b"<")
    assert set(at("cycle", "--json").json) == {"found", "settled_gross", "settled_net", "left_out", "waiting"}
    assert at("status", waiting, "--json").json["state"] == "queued"
    assert [one["uetr"] for one in at("status", "--json").json] == [paid, waiting]
    [queued] = at("queue", "--json").json
    assert "short of HKD 10.00" in queued["reason"]
    assert at("hold", waiting, "--json").json["held"]
    assert not at("release", waiting, "--json").json["held"]
    assert at("priority", waiting, "high", "--json").json["priority"] == "HIGH"
    assert at("cancel", waiting, "--json").json["state"] == "cancelled"
    balances = at("balances", "--json").json
    assert {one["currency"]: one["total_minor"] for one in balances["currencies"]} == {
        one["currency"]: one["issued_minor"] for one in balances["currencies"]
    }
    [entry] = at("statement", HK_A, "--json").json["entries"]
    assert (entry["uetr"], entry["amount_minor"], entry["direction"]) == (paid, 1_000, "debit")
    assert at("proof", paid, "--json").json["holds"]
    assert at("close-day", "--json").json == {"expired": 0}
    assert at("open-day", "--json").json == {"business_date": "2026-11-24"}


def test_people_read_the_same_in_sentences_and_tables(at, paid):
    assert "1 final" in at("status").out
    story = at("status", paid).out
    for event in ("received", "validated", "screened", "queued", "in batch", "settling", "final"):
        assert re.search(rf"Z  {event}\b", story), event
    assert at("queue").out == "Nothing waits.\n"
    assert at("balances").out.count(": conserved") == 2
    assert "-10.00" in at("statement", HK_A).out.replace("HKD ", "")
    assert "it holds" in at("proof", paid).out
    assert "settled gross: 0, settled net: 0, waiting: 0" in at("cycle").out


def test_nothing_but_json_is_on_standard_output(at, file, paid):
    said = at("cycle", "--json", "--verbose")
    assert said.json["settled_gross"] == []


def test_a_bic_of_eight_characters_is_understood(at, paid):
    assert at("statement", HK_A[:8], "--json").json["participant"] == HK_A


# -- submit ----------------------------------------------------------------------------------------------------------


def test_a_refused_payment_ends_with_exit_code_6_and_names_the_answer(at, file):
    raw = PEN.message("pacs.008", customer(HK_A, "SGBASGSGXXX", "HKD", "10.00", PEN.uetr()))
    said = at("submit", file("refused.xml", raw))
    assert said.code == 6
    assert "0 taken in, 1 refused" in said.out
    assert Path(re.search(r"answer: (\S+)", said.out)[1]).exists()


def test_an_unreadable_file_reaches_the_bank_that_it_mentions(at, file):
    raw = PEN.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", PEN.uetr()))[:-20]
    said = at("submit", file("broken.xml", raw))
    assert said.code == 6
    assert "refused as a whole" in said.out
    assert "admi.002" in said.out


@pytest.mark.parametrize("raw", [b"", b"\x00\xff\xfe", b"hello", b"<a/>"], ids=["empty", "binary", "text", "other XML"])
def test_a_file_of_nobody_asks_for_the_bank_and_with_the_bank_is_answered(at, file, raw):
    path = file("odd.xml", raw)
    said = at("submit", path)
    assert said.code == 2
    assert "--bank" in said.err
    said = at("submit", path, "--bank", HK_A, "--json")
    assert said.code == 6
    assert "admi.002" in said.json[0]["answers"][0]


def test_an_unknown_bank_is_named(at, file):
    said = at("submit", file("x.xml", b"<a/>"), "--bank", "SGBASGSGXXX")
    assert said.code == 2
    assert "SGBASGSGXXX" in said.err


def test_a_file_that_is_not_there_is_named(at, tmp_path):
    said = at("submit", tmp_path / "missing.xml")
    assert said.code == 2
    assert "missing.xml" in said.err


def test_several_files_are_answered_one_by_one_and_the_same_again_says_so(at, file):
    one, other = PEN.uetr(), PEN.uetr()
    hkd, thb = ("HKD", "10.00"), ("THB", "45.00")
    first = file("1.xml", PEN.message("pacs.009", trade_side(HK_A, TH_A, hkd, thb, one)))
    second = file("2.xml", PEN.message("pacs.009", trade_side(TH_A, HK_A, thb, hkd, other)))
    said = at("submit", first, second)
    assert said.code == 0
    assert said.out.count("1 taken in, 0 refused") == 2
    assert "(sent before)" in at("submit", first).out
    assert "settled gross: 1" in at("cycle").out


def test_a_payment_given_to_the_wrong_bank_is_refused_and_its_own_bank_can_still_send_it(at, file):
    path = file("mine.xml", PEN.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", PEN.uetr())))
    assert at("submit", path, "--bank", TH_A).code == 6
    said = at("submit", path)
    assert (said.code, "sent before" in said.out) == (0, False)


# -- what can't be done ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [["status"], ["proof"], ["hold"], ["release"], ["cancel"], ["priority", "HIGH"]],
    ids=lambda command: command[0],
)
def test_an_unknown_payment_ends_with_exit_code_3(at, command):
    name, *rest = command
    said = at(name, PEN.uetr(), *rest)
    assert said.code == 3
    assert "no payment" in said.err


def test_what_a_payments_state_does_not_allow_ends_with_exit_code_3(at, file, paid):
    assert at("cancel", paid).code == 3
    refused = PEN.uetr()
    at("submit", file("r.xml", PEN.message("pacs.008", customer(HK_A, "SGBASGSGXXX", "HKD", "1.00", refused))))
    for verb in ("cancel", "hold"):
        said = at(verb, refused)
        assert said.code == 3
        assert refused in said.err


def test_a_day_that_is_open_or_closed_already_ends_with_exit_code_3(at):
    assert at("open-day").code == 3
    assert at("close-day").code == 0
    assert at("close-day").code == 3
    assert at("open-day", "2026-11-01").code == 3
    assert at("open-day", "tomorrow").code == 2


def test_an_unknown_participant_ends_with_exit_code_3(at):
    assert at("statement", "SGBASGSGXXX").code == 3


@pytest.mark.parametrize(
    "command", [["cycle"], ["balances"], ["status"], ["queue"], ["close-day"], ["statement", HK_A]]
)
def test_where_nothing_is_set_up_every_command_says_how_to(run, tmp_path, command):
    said = run(*command, "--data-dir", tmp_path / "nowhere")
    assert said.code == 3
    assert "corridor init" in said.err
    assert not (tmp_path / "nowhere").exists()


def test_a_second_process_is_told_that_the_first_works(at, data_dir):
    lock = lock_directory(data_dir)
    try:
        said = at("balances")
    finally:
        os.close(lock)
    assert said.code == 3
    assert "another command works" in said.err
    assert at("balances").code == 0


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("finality_blocks = 0", 'finality_blocks = "many"', "finality_blocks"),
        ('opening_balance = { HKD = "12000000.00" }', 'opening_balance = { HKD = "12.001" }', "opening_balance.HKD"),
        ('zone = "Asia/Bangkok"', 'zone = "Asia/Nowhere"', "zone"),
        ('clock = "business"', 'clock = "sundial"', "clock"),
        ("[currencies.THB]", "[currencies.THB", "TOML"),
        ("blocked = []", "blocked = [7]", "blocked"),
        ("[participants.THBATHBKXXX]", "[participants.SGBASGSGXXX]", "participants.SGBASGSGXXX"),
    ],
)
def test_a_damaged_configuration_is_named_by_its_entry(at, configured, run, tmp_path, old, new, named):
    configured(old, new)
    said = at("balances")
    assert said.code == 2
    assert named in said.err
    broken = tmp_path / "broken.toml"
    broken.write_text(default_text().replace(old, new))
    said = run("init", "--config", broken, "--data-dir", tmp_path / "new")
    assert said.code == 2
    assert named in said.err
    assert not (tmp_path / "new" / "ledger.json").exists()


def test_a_configuration_that_is_no_text_is_named(at, data_dir, run, tmp_path):
    (data_dir / "corridor.toml").write_bytes(b"\xff\xfe\x00")
    assert at("balances").code == 2
    said = run("init", "--config", data_dir / "corridor.toml", "--data-dir", tmp_path / "new")
    assert (said.code, "UTF-8" in said.err) == (2, True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": null}', "\x00"])
def test_a_damaged_ledger_file_is_named(at, data_dir, text):
    (data_dir / "ledger.json").write_text(text)
    said = at("balances")
    assert said.code == 3
    assert "ledger.json" in said.err


def test_a_lost_address_file_or_key_is_named_and_what_to_restore(at, data_dir, file):
    kept = (data_dir / "deployment.json").read_text()
    (data_dir / "deployment.json").unlink()
    said = at("balances")
    assert said.code in (4, 5)
    assert "deployment.json" in said.err
    (data_dir / "deployment.json").write_text(kept)
    (data_dir / "banks" / HK_A / "passphrase").write_text("wrong")
    raw = PEN.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", PEN.uetr()))
    said = at("submit", file("p.xml", raw))
    assert said.code == 3
    assert "passphrase" in said.err


def test_a_data_directory_that_cannot_be_made_is_named(run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    said = run("init", "--data-dir", tmp_path / "file" / "data")
    assert said.code == 2
    assert "file" in said.err
    assert run("balances", "--data-dir", tmp_path / "file").code == 2


def test_a_data_directory_that_cannot_be_written_is_named(data_dir, tmp_path):
    """As somebody who may only read it."""
    if os.geteuid() != 0:
        data_dir.chmod(0o555)
    else:
        pytest.skip("the superuser may write everywhere")
    said = subprocess.run(
        [sys.executable, "-m", "corridor.cli", "balances", "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    data_dir.chmod(0o755)
    assert said.returncode == 2
    assert "Permission denied" in said.stderr


def test_a_proof_is_written_to_a_file_and_checked_from_it(at, run, data_dir, paid, tmp_path):
    out = tmp_path / "proof.json"
    assert at("proof", paid, "--out", out).code == 0
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("ledger.sqlite", "deployment.json"):
        shutil.copy(data_dir / name, bare / name)
    said = run("proof", "--verify", out, "--data-dir", bare)
    assert said.code == 0
    assert "it holds" in said.out
    damaged = json.loads(out.read_text())
    damaged["obligation"]["legs"][0]["amount_minor"] += 1
    out.write_text(json.dumps(damaged))
    said = run("proof", "--verify", out, "--data-dir", bare)
    assert (said.code, said.out) == (5, "")
    assert "does not hold" in said.err


def test_a_ledger_that_does_not_answer_ends_with_exit_code_4(run, tmp_path):
    said = run("init", "--ledger", "http://127.0.0.1:9", "--data-dir", tmp_path / "data")
    assert said.code == 4
    assert "127.0.0.1:9" in said.err
    said = run("init", "--seed", "x", "--business-date", DAY, "--data-dir", tmp_path / "data")
    assert said.code == 0, "a wrong address is not remembered"


# -- init ------------------------------------------------------------------------------------------------------------


def test_init_again_changes_nothing(at, data_dir, paid):
    before = at("balances", "--json").json
    said = at("init")
    assert said.code == 0
    assert DAY in said.out
    assert at("balances", "--json").json["accounts"] == before["accounts"]
    assert at("status", paid, "--json").json["state"] == "final"


@pytest.mark.parametrize("differing", [["--ledger", "http://127.0.0.1:9"], ["--config", "other.toml"]])
def test_init_again_with_other_settings_is_refused_and_not_silently_ignored(at, tmp_path, monkeypatch, differing):
    monkeypatch.chdir(tmp_path)
    Path("other.toml").write_text(default_text().replace("horizon_days = 10", "horizon_days = 20"))
    said = at("init", *differing)
    assert said.code == 3
    assert "another" in said.err


class Interrupted(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", [0, 1, 3, 6, 9, 12])
def test_init_after_an_interruption_ends_where_an_uninterrupted_one_does(run, at, tmp_path, monkeypatch, after):
    """Stopped after so many steps that reach the disk, then started again."""
    steps = iter(range(10_000))
    whole, add = setup.write_durably, FileStore.add

    def step(call):
        def stops(*arguments, **named):
            if next(steps) == after:
                raise Interrupted
            return call(*arguments, **named)

        return stops

    data = tmp_path / "new"
    with monkeypatch.context() as patched:
        patched.setattr(setup, "write_durably", step(whole))
        patched.setattr(FileStore, "add", step(add))
        patched.setattr(setup.SqlTransactionStore, "add", step(setup.SqlTransactionStore.add))
        with pytest.raises(Interrupted):
            run("init", "--business-date", DAY, "--seed", "s", "--data-dir", data)
    if (data / "ledger.json").exists():
        assert run("balances", "--data-dir", data).code == 3
    said = run("init", "--business-date", DAY, "--seed", "s", "--data-dir", data, "--json")
    assert said.code == 0
    assert said.json["business_date"] == DAY
    mine = run("balances", "--data-dir", data, "--json").json["currencies"]
    assert mine == at("balances", "--json").json["currencies"]
    assert run("open-day", "--data-dir", data).code == 3, "the first day is open"


def test_the_business_date_is_the_next_business_day_unless_named(run, tmp_path):
    said = run("init", "--data-dir", tmp_path / "data", "--json")
    assert date.fromisoformat(said.json["business_date"]).weekday() < 5


# -- logs ------------------------------------------------------------------------------------------------------------


def test_the_log_is_json_names_payment_and_settlement_and_no_secret_or_customer(at, file, data_dir):
    uetr = PEN.uetr()
    path = file("p.xml", PEN.message("pacs.008", customer(HK_A, TH_B, "HKD", "10.00", uetr)))
    logged = at("submit", path, "--verbose").err + at("cycle", "--verbose").err
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("uetr") == uetr]
    assert {line["event"] for line in mine} >= {"received", "queued", "in batch", "settling", "final"}
    assert all(len(line["settlement"]) == 64 for line in mine if line["event"] in ("in batch", "settling", "final"))
    assert all({"level", "timestamp"} <= line.keys() for line in lines)
    secrets = [path.read_text().strip() for path in data_dir.rglob("passphrase")]
    for hidden in ("Exporter Limited", "Importer Company", "010-445566-9", "020-998877-1", *secrets):
        assert hidden not in logged


def test_without_verbose_a_good_cycle_logs_nothing(at, paid):
    assert "{" not in at("cycle").err


def test_a_warning_names_bank_and_reason_as_json(at, file, data_dir):
    uetr = PEN.uetr()
    config = data_dir / "corridor.toml"
    granted = 'opening_balance = { HKD = "12000000.00" }'
    config.write_text(config.read_text().replace(granted, granted + '\ndebit_limit = { HKD = "1.00" }'))
    at("submit", file("p.xml", PEN.message("pacs.008", customer(HK_A, TH_B, "HKD", "10.00", uetr))))
    warnings = [json.loads(line) for line in at("cycle").err.splitlines() if line.startswith("{")]
    assert {line["bank"] for line in warnings} == {HK_A}
    assert all("limit" in line["reason"] for line in warnings)


def test_the_installed_command_runs(data_dir):
    command = Path(sys.executable).with_name("corridor")
    said = subprocess.run(
        [str(command), "balances", "--data-dir", str(data_dir), "--json"], capture_output=True, check=False
    )
    assert said.returncode == 0
    assert json.loads(said.stdout)["accounts"]
