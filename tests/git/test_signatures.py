"""Signatures under outcomes, by the real ssh-keygen: who signed, and what is noticed when anything is changed."""

import json
import os
import subprocess

import pytest

from gemexp import ExperimentConfig, ExperimentRegistry, canonical, signing
from gemexp.attesting import statement_of
from gemexp.digest import hash_bytes
from gemexp.store import layout, objects, records
from gemexp.store.records import Signature

KINDS = {"ed25519": (), "rsa": ("-b", "2048"), "ecdsa": ("-b", "256")}


@pytest.fixture
def make_key(tmp_path):
    """Make an SSH key; return the path of its private half."""

    def make(name="key", kind="ed25519", passphrase=""):
        path = tmp_path / name
        options = ["-q", "-t", kind, *KINDS[kind], "-N", passphrase, "-C", "", "-f", str(path)]
        subprocess.run(["ssh-keygen", *options], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        return path

    return make


@pytest.fixture
def allow(tmp_path):
    """Write a file of allowed signers: principals and the keys that they have; return its path."""

    def write(*entries, options=""):
        path = tmp_path / "signers"
        lines = [f"{who} {options} {key.with_suffix('.pub').read_text()}" for who, key in entries]
        path.write_text("".join(lines))
        return path

    return write


@pytest.fixture
def run(ours, commit):
    """A run of a config in a repository."""
    commit()
    ours.record(ExperimentConfig((), {}, {"lr": 0.5}, tags=["best"]), {"loss": 0.25}, data={"prices.csv": "0" * 64})
    return ours.find_run("best")


def verified(cli, signers, *arguments, code=0):
    return json.loads(cli("verify", "--signatures", *arguments, "--allowed-signers", signers, "--json", code=code)[0])


def resigned(registry, record, **changes):
    """Put another signature record in the place of one, with a name that is its hash, as a forger would."""
    old = records.read(registry._folder, record)
    os.unlink(f"{registry.root}/{layout.record_path(*record)}")
    fields = {name: value for name, value in {**old, **changes}.items() if name in Signature._fields}
    with registry._folder.batch() as batch:
        return records.sign(batch, Signature(**fields))


def signature_name(registry):
    return next(
        name for name in records.all_names(registry._folder) if "signature" in records.read(registry._folder, name)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_signed_is_verified_with_who_signed(ours, run, cli, make_key, allow, kind):
    key = make_key(kind=kind)
    out, _ = cli("attest", "best", "--key", key)
    assert out == f"{run.config[:12]}  outcome {run.outcome[:12]}  signed\n"
    (found,) = verified(cli, allow(("ann@example.org", key)))
    assert (found["verdict"], found["signer"], found["problem"]) == ("good", "ann@example.org", "")
    assert found["key"].startswith(f"{kind.upper()} SHA256:")
    assert (found["config_hash"], found["outcome_hash"]) == (run.config, run.outcome)
    out, _ = cli("verify", "--signatures", "best", "--allowed-signers", allow(("ann@example.org", key)))
    assert f"outcome {run.outcome[:12]}" in out
    assert "good  ann@example.org  " in out
    report = ours.check()
    assert (report.problems, report.notes) == ([], [])


def test_what_is_signed_is_config_code_data_and_metrics(ours, run, cli, make_key):
    cli("attest", f"run:{run.record[:10]}", "--key", make_key())
    (signature,) = ours.metadata(run.config).signatures
    expected = statement_of(ours._folder, run)
    told = signature.statement
    assert told == {**expected, "created_at": told["created_at"]}
    assert told["code"]["commit"] == run.code["commit"]
    assert told["data"] == {"prices.csv": "0" * 64}
    assert told["metrics"] == {"loss": 0.25}
    assert told["run"] == run.record


def test_ssh_keygen_alone_can_verify_what_the_spec_says(ours, run, cli, make_key, allow, tmp_path):  # noqa: ARG001
    key = make_key()
    cli("attest", "best", "--key", key)
    name = signature_name(ours)
    record = canonical.decode((tmp_path / "work/.gemexp" / layout.record_path(*name)).read_bytes())
    (tmp_path / "sig").write_text(record["signature"] + "\n")
    done = subprocess.run(
        ["ssh-keygen", "-Y", "verify", "-n", "gemexp", "-f", allow(("ann", key)), "-I", "ann", "-s", tmp_path / "sig"],
        input=canonical.encode(record["statement"]),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_an_unknown_key_and_a_key_that_had_expired_are_no_signers(run, cli, make_key, allow):  # noqa: ARG001
    key, other = make_key(), make_key("other")
    cli("attest", "best", "--key", key)
    (found,) = verified(cli, allow(("bob", other)), code=1)
    assert (found["verdict"], found["signer"]) == ("unknown signer", None)
    (found,) = verified(cli, allow(("ann", key), options='valid-before="20200101"'), code=1)
    assert found["verdict"] == "unknown signer"
    (found,) = verified(cli, allow(("ann", key), options='valid-after="20200101"'))
    assert found["verdict"] == "good"
    (found,) = verified(cli, allow(("ann", key), options='namespaces="git"'), code=1)
    assert found["verdict"] == "unknown signer"


def test_a_signature_for_another_purpose_is_bad(ours, run, cli, make_key, allow, monkeypatch):  # noqa: ARG001
    key = make_key()
    with monkeypatch.context() as patch:
        patch.setattr(signing, "NAMESPACE", "git")
        cli("attest", "best", "--key", key)
    (found,) = verified(cli, allow(("ann", key)), code=1)
    assert (found["verdict"], found["signer"]) == ("bad", None)


@pytest.mark.parametrize(
    "tampered",
    [
        {"metrics": {"loss": 0.01}},
        {"data": {"prices.csv": "1" * 64}},
        {"code": {"commit": "0" * 40, "dirty": False}},
        {"run": "0" * 64},
        {"patch": "0" * 64},
        {"created_at": "2020-01-01T00:00:00Z"},
        {"extra": 1},
    ],
)
def test_a_statement_that_was_changed_is_bad(ours, run, cli, make_key, allow, tampered):  # noqa: ARG001
    key = make_key()
    cli("attest", "best", "--key", key)
    name = signature_name(ours)
    statement = records.read(ours._folder, name)["statement"]
    resigned(ours, name, statement={**statement, **tampered})
    (found,) = verified(cli, allow(("ann", key)), code=1)
    assert found["verdict"] == "bad"
    assert found["problem"]


def test_a_signature_under_another_config_or_outcome_is_bad(ours, run, cli, make_key, allow):
    key = make_key()
    cli("attest", "best", "--key", key)
    name = signature_name(ours)
    other = ours.register(ExperimentConfig((), {}, {"lr": 9.0}))
    better = ours.record(other, {"loss": 0.0})
    resigned(ours, name, config=other, outcome=better)
    (found,) = verified(cli, allow(("ann", key)), other, code=1)
    assert (found["verdict"], found["problem"]) == ("bad", "what was signed says another config than its record")
    worse = ours.record(run.config, {"loss": 9.0})
    cli("attest", "best", "--key", key)
    newest = next(one for one in ours.metadata(run.config).signatures if one.outcome == worse)
    resigned(ours, layout.RecordName(run.config, newest.record), outcome=run.outcome)
    (found,) = verified(cli, allow(("ann", key)), run.config, code=1)
    assert found["problem"] == "what was signed says another outcome than its record"


def test_a_true_signature_over_other_metrics_than_the_outcomes_is_bad(ours, run, cli, make_key, allow):
    key = make_key()
    statement = {**statement_of(ours._folder, run), "metrics": {"loss": 0.0}}
    text = signing.sign(canonical.encode(statement), str(key))
    with ours._folder.batch() as batch:
        records.sign(batch, Signature(run.config, run.outcome, statement["created_at"], statement, text))
    (found,) = verified(cli, allow(("ann", key)), code=1)
    assert (found["verdict"], found["problem"]) == ("bad", "what was signed says something else than the outcome")


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----", "é" * 9])
def test_what_is_no_signature_is_bad(ours, run, cli, make_key, allow, text):
    key = make_key()
    statement = statement_of(ours._folder, run)
    with ours._folder.batch() as batch:
        records.sign(batch, Signature(run.config, run.outcome, statement["created_at"], statement, text))
    (found,) = verified(cli, allow(("ann", key)), code=1)
    assert found["verdict"] == "bad"


def test_a_damaged_record_and_an_outcome_that_is_gone_are_told(ours, run, cli, make_key, allow):
    key = make_key()
    cli("attest", "best", "--key", key)
    outcome = f"{ours.root}/{layout.object_path(run.outcome)}"
    os.rename(outcome, f"{outcome}.away")
    (found,) = verified(cli, allow(("ann", key)), code=1)
    assert found["problem"] == "the outcome that was signed is not there"
    os.rename(f"{outcome}.away", outcome)
    cli("attest", "best", "--key", key)
    path = f"{ours.root}/{layout.record_path(*signature_name(ours))}"
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(60)
        file.write(b"x")
    out, err = cli("verify", "--signatures", "--allowed-signers", allow(("ann", key)), code=5)
    assert out.count("good") == 1
    assert "may have been a signature" in err


def test_nothing_signed_no_file_and_no_key_are_told(run, cli, make_key, allow, tmp_path):  # noqa: ARG001
    key = make_key()
    _, err = cli("verify", "--signatures", "--allowed-signers", allow(("ann", key)), code=3)
    assert "no outcome is signed" in err
    _, err = cli("verify", "--signatures", "best", "--allowed-signers", allow(("ann", key)), code=3)
    assert "no outcome of 'best' is signed" in err
    cli("verify", "--signatures", "--allowed-signers", tmp_path / "none", code=1)
    cli("verify", "--signatures", code=2)
    cli("attest", "best", code=2)
    cli("attest", "nothing", "--key", key, code=3)
    _, err = cli("attest", "best", "--key", tmp_path / "none", code=1)
    assert "no such key" in err
    (tmp_path / "text").write_text("hello")
    _, err = cli("attest", "best", "--key", tmp_path / "text", code=6)
    assert "cannot sign" in err


def test_an_encrypted_key_is_refused_at_once_where_nobody_can_be_asked(ours, run, cli, make_key, monkeypatch):
    key = make_key(passphrase="correct horse")  # noqa: S106
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setenv("SSH_ASKPASS", "/bin/true")
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    _, err = cli("attest", "best", "--key", key, code=1)
    assert "the key is encrypted" in err
    assert "ssh-add" in err
    assert ours.metadata(run.config).signatures == ()


def test_a_key_that_the_agent_holds_signs_by_its_public_half(run, cli, make_key, allow, monkeypatch, tmp_path):  # noqa: ARG001
    key = make_key()
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        for _ in range(100):
            if subprocess.run(["ssh-add", "-q", key], capture_output=True, check=False).returncode == 0:
                break
        key.unlink()
        cli("attest", "best", "--key", key.with_suffix(".pub"))
    finally:
        agent.terminate()
        agent.wait()
    (found,) = verified(cli, allow(("ann", key)))
    assert found["verdict"] == "good"


def test_git_settings_name_the_key_and_the_signers(run, cli, make_key, allow, git):  # noqa: ARG001
    key = make_key()
    git("config", "user.signingKey", key)
    git("config", "gpg.ssh.allowedSignersFile", allow(("ann", key)))
    cli("attest", "best")
    cli("verify", "--signatures")


def test_signatures_of_two_people_survive_a_merge(ours, run, cli, make_key, allow, tmp_path):
    ann, bob = make_key("ann"), make_key("bob")
    other = ExperimentRegistry(tmp_path / "other")
    other.merge(ours.root)
    cli("attest", "best", "--key", ann)
    cli("--store", other.root, "attest", "best", "--key", bob)
    out, _ = cli("merge", other.root)
    assert "1 new signature" in out
    found = verified(cli, allow(("ann", ann), ("bob", bob)))
    assert {one["signer"] for one in found} == {"ann", "bob"}
    assert len(ours.metadata(run.config).signatures) == 2
    ours.pack()
    assert len(verified(cli, allow(("ann", ann), ("bob", bob)))) == 2
    assert f"signed  outcome {run.outcome[:12]}, unverified" in cli("show", "best")[0]


def test_without_ssh_keygen_the_error_says_what_to_install(run, cli, make_key, allow, monkeypatch):  # noqa: ARG001
    key = make_key()
    cli("attest", "best", "--key", key)
    signers = allow(("ann", key))
    monkeypatch.setenv("PATH", "/nonexistent")
    for arguments in (("attest", "best", "--key", key), ("verify", "--signatures", "--allowed-signers", signers)):
        assert "OpenSSH" in cli(*arguments, code=6)[1]


def test_git_shows_a_signature_as_text(ours, run, cli, make_key, git, commit):
    cli("git", "setup")
    commit()
    cli("attest", "best", "--key", make_key())
    commit()
    shown = git("show")
    assert f"signed outcome {run.outcome[:12]} of {run.config[:12]}" in shown
    assert "metrics.loss = 0.25" in shown
    assert "BEGIN SSH SIGNATURE" in shown
    (signature,) = ours.metadata(run.config).signatures
    assert hash_bytes(objects.get(ours._folder, signature.outcome)) == run.outcome
